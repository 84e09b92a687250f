"""A tiny random encoder, made here, and toy data that it can learn in seconds."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from convener.dictionary import Entry, Gazetteer
from convener.models.answers import prompt
from convener.models.reader import Reader
from convener.models.reader_config import ReaderConfig
from convener.models.tag_layout import TaggerConfig
from convener.models.tagger import Tagger
from convener.recipes.run_config import RunConfig, parse_config
from convener.text.documents import Document

torch.set_num_threads(1)

DRUGS = ("aspirin", "ibuprofen", "codeine", "warfarin", "insulin")
PLACES = ("Rome", "Oslo", "Lima", "Cairo", "New York")
LABELS = ("DRUG", "LOC")
HIDDEN = 64
SPECIAL = ("[PAD]", "[UNK]", "<s>", "</s>")
PATTERNS = (
    "We gave {drug} in {place} today .",
    "{drug} helped her .",
    "In {place} nobody took {drug} .",
    "The clinic of {place} is closed .",
    "She walks home and sleeps .",
    "Doctors like {drug} , not tea .",
)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real benchmark data, for tests that need it."""
    folder = os.environ.get("CONVENER_DATA")
    if not folder:
        pytest.skip("CONVENER_DATA is not set: no real data at hand")
    return Path(folder)


@pytest.fixture(scope="module")
def benches() -> Iterator[Path]:
    """The folder of the benchmarks, whose scripts a module's tests can import."""
    folder = Path(__file__).parents[1] / "bench"
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Toy sentences in which drugs and places occur."""
    return [
        pattern.format(drug=drug, place=place)
        for drug, place in zip(DRUGS, PLACES, strict=True)
        for pattern in PATTERNS
    ]


@pytest.fixture(scope="session")
def gazetteer() -> Gazetteer:
    """The toy dictionary."""
    names = [Entry(drug, "DRUG") for drug in DRUGS] + [Entry(place, "LOC") for place in PLACES]
    return Gazetteer(names)


@pytest.fixture(scope="session")
def labelled(texts: list[str], gazetteer: Gazetteer) -> list[Document]:
    """The toy sentences with their labels."""
    from convener import label

    return list(label(texts, gazetteer))


SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
"""Those of a tiny encoder."""


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """A folder with a random two-layer BERT whose words are those of the toy sentences."""
    folder = tmp_path_factory.mktemp("tiny-encoder")
    words = sorted({word.lower() for text in texts for word in text.split()})
    letters = [chr(c) for c in range(33, 127)]
    pieces = dict.fromkeys([*letters, *(f"##{letter}" for letter in letters), *words])
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
    tokenizer = Tokenizer(
        models.WordPiece({p: i for i, p in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        **SIZES,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def fast(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    pad, unknown, begin, end = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        unk_token=unknown,
        bos_token=begin,
        eos_token=end,
    )


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words of the toy sentences and of the instruction, letters of all others."""
    splitter = pre_tokenizers.BertPreTokenizer()
    known = " ".join([*DRUGS, *PLACES, *PATTERNS, prompt(LABELS, "Answer: none")])
    words = sorted({word for word, _ in splitter.pre_tokenize_str(known)})
    letters = [chr(c) for c in range(33, 127)]
    vocabulary = dict.fromkeys([*SPECIAL, *letters, *(f"##{c}" for c in letters), *words])
    places = {piece: index for index, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(places, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return fast(tokenizer)


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer Llama and the tokenizer of the toy words."""
    folder = tmp_path_factory.mktemp("tiny-llama")
    tokenizer = word_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        initializer_range=0.05,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tagger(tiny_encoder: Path) -> Callable[[int], Tagger]:
    """Makes an untrained tiny tagger from a seed."""

    def make(seed: int = 0) -> Tagger:
        config = TaggerConfig(encoder=str(tiny_encoder), train_embeddings=True)
        return Tagger.create(("DRUG", "LOC"), config, seed)

    return make


@pytest.fixture(scope="session")
def reader(tiny_encoder: Path) -> Callable[..., Reader]:
    """Makes an untrained tiny reader of nested entities, with settings of its own."""

    def make(labels: Sequence[str] = ("DRUG", "LOC"), seed: int = 0, **settings: object) -> Reader:
        plain = {
            "encoder": str(tiny_encoder),
            "questions": {label: f"a {label} ?" for label in labels},
            "train_embeddings": True,
            "width": 4,
            "nested": True,
        }
        config = ReaderConfig.model_validate(plain | settings)
        return Reader.create(labels, config, seed)

    return make


@pytest.fixture(scope="session")
def run_config(tiny_encoder: Path) -> Callable[..., RunConfig]:
    """A configuration that trains the tiny encoder in about a second."""

    def make(seed: int = 0, **bond: object) -> RunConfig:
        return parse_config(
            {
                "seed": seed,
                "tagger": {"encoder": str(tiny_encoder), "train_embeddings": True},
                "optimiser": {"learning_rate": 3e-3, "head_learning_rate": 1e-2},
                "bond": {"round_steps": 8, "self_rounds": 2, "experts": 2, **bond},
            }
        )

    return make


@pytest.fixture(scope="session")
def model(
    tmp_path_factory: pytest.TempPathFactory,
    labelled: list[Document],
    run_config: Callable[..., RunConfig],
) -> Path:
    """The folder of a tiny model that has learnt the toy sentences; not to be changed."""
    from convener import train

    folder = tmp_path_factory.mktemp("models") / "model"
    train(labelled, config=run_config(experts=1, self_rounds=1)).save_pretrained(folder)
    return folder
