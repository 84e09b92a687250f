"""Generators: laws, and a tiny random Llama that learns a toy domain.

Its base is random, so LoRA gets full rank (64, the hidden size) on all linear layers of the blocks;
embeddings and output layer stay as they were drawn.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import GenerationConfig, PreTrainedTokenizerFast

from convener import Gazetteer, label
from convener.errors import ConfigError, ConvenerError, DataError, ModelError
from convener.evaluation.scores import score
from convener.models import generator as module
from convener.models.generator import Generator
from convener.models.generator_config import GeneratorConfig
from convener.models.instructions import Instructions, Window
from convener.models.language_model import answer_loss, generate
from convener.text.documents import Document, Entity
from tests.conftest import DRUGS, HIDDEN, LABELS, PATTERNS, PLACES, SPECIAL, fast


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token for each byte, so that decoding gives back any text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: index for index, piece in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return fast(tokenizer)


Make = Callable[..., Generator]
TINY: dict[str, object] = {
    "rank": HIDDEN,
    "alpha": HIDDEN,
    "dropout": 0.0,
    "learning_rate": 3e-3,
    "steps": 200,
    "batch": 16,
    "window": 64,
    "overlap": 16,
    "max_new_tokens": 16,
}


@pytest.fixture(scope="session")
def make(tiny_llama: Path) -> Make:
    """Makes an untrained tiny generator with settings of its own."""

    def make(labels: Sequence[str] = LABELS, **settings: object) -> Generator:
        config = GeneratorConfig.model_validate(TINY | settings)
        return Generator.from_pretrained(str(tiny_llama), labels, config)

    return make


@pytest.fixture(scope="session")
def lessons_and_exam(gazetteer: Gazetteer) -> tuple[list[Document], list[Document]]:
    """Toy sentences, and others that hold the same names in other pairs."""
    pairs = [(i, j) for i in range(len(DRUGS)) for j in range(len(PLACES))]
    sentences = {
        pattern.format(drug=DRUGS[i], place=PLACES[j]): pattern.count("{") == 2 and (j - i) % 5 < 2
        for pattern in PATTERNS
        for i, j in pairs
    }
    lessons = [text for text, held_out in sentences.items() if not held_out]
    exam = [text for text, held_out in sentences.items() if held_out]
    return list(label(lessons, gazetteer)), list(label(exam, gazetteer))


@pytest.fixture(scope="session")
def taught(make: Make, lessons_and_exam: tuple[list[Document], list[Document]]) -> Generator:
    """A generator that has learnt the toy domain."""
    generator = make()
    generator.fit(lessons_and_exam[0])
    return generator


def found(documents: Sequence[Document]) -> list[tuple[Entity, ...]]:
    return [document.entities for document in documents]


def refusal(action: Callable[[], object], kind: type[ConvenerError]) -> str:
    with pytest.raises(kind) as caught:
        action()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def test_a_toy_domain_is_learnt(
    taught: Generator, lessons_and_exam: tuple[list[Document], list[Document]]
) -> None:
    exam = lessons_and_exam[1]
    assert len(exam) == 20
    annotated = taught.annotate(exam)
    assert score(exam, annotated).exact.f1 > 0.9
    assert taught.malformed == len(taught.reasons) <= 2
    assert taught.config.nested is False


def test_neither_batch_nor_order_matters(
    taught: Generator, make: Make, lessons_and_exam: tuple[list[Document], list[Document]]
) -> None:
    documents = [d for part in lessons_and_exam for d in part[:12]]
    documents += [Document(""), Document("Oslo , Lima , tea , codeine , " * 3), Document(" \n")]
    for generator in (taught, make()):
        pad = generator.instructions.pad
        prompts = [w.prompt for d in documents for w in generator.instructions.windows(d)]
        asked: dict[str, int] = {"end": generator.instructions.end, "pad": pad, "longest": 16}
        alone = generate(generator.model, prompts, batch=1, **asked)
        assert generate(generator.model, prompts, batch=len(prompts), **asked) == alone
    together = found(taught.annotate(documents))
    assert found(taught.annotate(documents[::-1])) == together[::-1]
    assert [found(taught.annotate([d]))[0] for d in documents] == together


def test_how_a_model_was_published_to_write_is_not_heeded(
    taught: Generator, make: Make, lessons_and_exam: tuple[list[Document], list[Document]]
) -> None:
    exam = lessons_and_exam[1]
    for generator in (taught, make()):
        own = generator.model.generation_config
        expected = found(generator.annotate(exam))
        generator.model.generation_config = GenerationConfig(
            eos_token_id=own.eos_token_id,
            repetition_penalty=1.5,
            no_repeat_ngram_size=2,
            num_beams=2,
        )
        assert found(generator.annotate(exam)) == expected
        generator.model.generation_config = own


def test_saved_and_loaded_is_the_same(
    taught: Generator, lessons_and_exam: tuple[list[Document], list[Document]], tmp_path: Path
) -> None:
    exam = lessons_and_exam[1]
    folder = tmp_path / "expert"
    taught.save_pretrained(folder)
    taught.save_pretrained(folder)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    loaded = Generator.from_folder(folder)
    assert (loaded.labels, loaded.config) == (taught.labels, taught.config)
    assert found(loaded.annotate(exam)) == found(taught.annotate(exam))
    saved, read = taught.model.state_dict(), loaded.model.state_dict()
    assert saved.keys() == read.keys()
    assert all(torch.equal(values, read[name]) for name, values in saved.items())


def test_merging_one_expert_is_the_identity_and_a_merged_one_can_be_kept(
    taught: Generator, lessons_and_exam: tuple[list[Document], list[Document]], tmp_path: Path
) -> None:
    exam = lessons_and_exam[1]
    merged = taught.merged(taught.changes())
    assert found(merged.annotate(exam)) == found(taught.annotate(exam))
    merged.save_pretrained(tmp_path / "merged")
    loaded = Generator.from_folder(tmp_path / "merged")
    assert found(loaded.annotate(exam)) == found(merged.annotate(exam))
    refusal(lambda: loaded.fit(exam), ConfigError)
    refusal(loaded.changes, ModelError)


def test_the_mean_of_two_experts_answers_about_both_domains(
    make: Make, lessons_and_exam: tuple[list[Document], list[Document]]
) -> None:
    experts = []
    for name in LABELS:
        expert = make([name], steps=60)
        own = [
            Document(d.text, tuple(e for e in d.entities if e.label == name))
            for d in lessons_and_exam[0]
        ]
        assert expert.fit(own) < 5
        experts.append(expert.changes())
    mean = {name: (experts[0][name].delta() + experts[1][name].delta()) / 2 for name in experts[0]}
    assert len(mean) == 14
    merged = make().merged(mean)
    for generator in (merged, merged.asked(["LOC", "CITY"])):
        for document in generator.annotate(lessons_and_exam[1]):
            assert Document(document.text, document.entities).entities == document.entities
            assert {e.label for e in document.entities} <= set(generator.labels)


def test_the_same_seed_gives_the_same_model(
    make: Make, lessons_and_exam: tuple[list[Document], list[Document]]
) -> None:
    changes, ticks = [], []
    for seed in (3, 3, 4):
        generator = make(steps=3, seed=seed, dropout=0.1)
        before = torch.random.get_rng_state()
        generator.fit(lessons_and_exam[0], lambda: ticks.append(1))
        assert torch.equal(torch.random.get_rng_state(), before)
        changes.append(generator.changes())
    same, other = (
        all(torch.equal(changes[0][name].up, changes[i][name].up) for name in changes[0])
        for i in (1, 2)
    )
    assert same
    assert not other
    assert len(ticks) == 9


def test_a_base_in_bfloat16_learns_in_float32(
    make: Make, lessons_and_exam: tuple[list[Document], list[Document]]
) -> None:
    generator = make(precision="bfloat16", steps=2)
    generator.fit(lessons_and_exam[0])
    types = {(p.requires_grad, p.dtype) for p in generator.model.parameters()}
    assert types == {(True, torch.float32), (False, torch.bfloat16)}
    assert len(generator.annotate(lessons_and_exam[1][:2])) == 2
    merged = generator.merged(generator.changes())
    assert {p.dtype for p in merged.model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("sparing", [True, False])
def test_only_answers_are_taught(make: Make, sparing: bool) -> None:
    model = make().model
    lessons = [([5, 6, 7, 8], [9, 10, 3]), ([5, 6], [11, 3]), ([7] * 6, [3])]
    total, count = torch.tensor(0.0), 0
    for asked, said in lessons:
        logits = model(input_ids=torch.tensor([asked + said])).logits[0, len(asked) - 1 : -1]
        total = total + nn.functional.cross_entropy(logits, torch.tensor(said), reduction="sum")
        count += len(said)
    if not sparing:
        whole = model.forward
        model.forward = lambda input_ids, attention_mask, use_cache: whole(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache
        )
    torch.testing.assert_close(answer_loss(model, lessons, 0), total / count)


def test_malformed_answers_are_counted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = make()
    answers = iter(
        [
            ("DRUG: aspirin; LOC: Rome; LOC: Paris; CITY: Rome", True),
            ("none", True),
            ("DRUG: aspirin; LOC: Ro", False),
            *[("tea", True)] * 12,
        ]
    )

    def answer(model: object, prompts: list[list[int]], *rest: object) -> object:
        written = [next(answers) for _ in prompts]
        return [(generator.tokenizer(said)["input_ids"], whole) for said, whole in written]

    monkeypatch.setattr(module, "generate", answer)
    old = Entity(0, 2, "LOC")
    annotated = generator.annotate([Document("We gave aspirin in Rome .", (old,), id="a")] * 3)
    assert [[d.surface(e) for e in d.entities] for d in annotated] == [
        ["aspirin", "Rome"],
        [],
        ["aspirin"],
    ]
    assert annotated[0].id == "a"
    assert generator.malformed == 3
    assert generator.reasons[0] == "'Paris' is not in the text"
    generator.annotate([Document("tea")] * 12)
    assert (generator.malformed, len(generator.reasons)) == (12, 10)


BYTES = byte_tokenizer()


def instructions(**changed: int) -> Instructions:
    sizes = {"window": 40, "overlap": 16, "positions": 4096, "answer": 1000} | changed
    return Instructions(BYTES, LABELS, **sizes)


def right(own: Instructions, document: Document, asked: Sequence[Window]) -> Sequence[Entity]:
    """What is understood if every window is answered rightly."""
    said = [(own.lesson(document, window)[:-1], True) for window in asked]
    parsed = own.understood(document, asked, said, nested=True)
    assert not parsed.malformed
    return parsed.entities


@given(st.text(st.sampled_from("aB1  \n\r\t;:\\é\u0301\u200d👩👧北ß"), max_size=200) | st.text())
def test_every_word_of_any_text_is_asked_about_and_found(text: str) -> None:
    own = instructions()
    words = Document(text).words()
    document = Document(text, tuple(Entity(*word, "LOC") for word in words))
    asked = own.windows(document)
    assert {word for window in asked for word in window.words} >= {
        word for word in words if len(text[slice(*word)].encode()) <= own.window // 2
    }
    covered = {place for window in asked for place in range(window.start, window.end)}
    assert covered >= {place for word in words for place in range(*word)}
    frame = len(own.windows(Document("a"))[0].prompt) - 1
    assert all(len(window.prompt) <= frame + own.window for window in asked)
    whole = {word for window in asked for word in window.words} & set(words)
    assert {e.span for e in right(own, document, asked)} >= whole


def test_entities_in_the_overlap_are_found_once_and_whole() -> None:
    words = [f"w{index}" for index in range(60)]
    text = " ".join(words)
    places = Document(text).words()
    own = instructions()
    for shift in range(3):
        entities = tuple(
            Entity(first[0], last[1], "DRUG")
            for first, last in zip(places[shift::3], places[shift + 2 :: 3], strict=False)
        )
        document = Document(text, entities)
        asked = own.windows(document)
        assert len(asked) > 5
        assert tuple(right(own, document, asked)) == entities


def test_a_window_that_sees_less_is_not_believed() -> None:
    own = instructions()
    document = Document("aaaa bbbb cccc dddd New York eeee ffff gggg hhhh iiii jjjj")
    asked = own.windows(document)
    edge = asked[0].words[-1]
    assert edge in asked[1].words
    assert edge != asked[1].words[0]
    name = document.text[slice(*edge)]
    for answering, kept in ((0, []), (1, [edge])):
        said = [f"LOC: {name}" if index == answering else "none" for index in range(len(asked))]
        answers = [(BYTES(words)["input_ids"], True) for words in said]
        parsed = own.understood(document, asked, answers, nested=False)
        assert [e.span for e in parsed.entities] == kept
        assert not parsed.malformed


def test_long_words_and_long_gaps_are_read_whole() -> None:
    own = instructions()
    text = "a" + " \n" * 500 + "b" + "\u0301" * 300 + " " + "é" * 500 + " Rome"
    rome = Entity(len(text) - 4, len(text), "LOC")
    asked = own.windows(Document(text, (rome,)))
    assert right(own, Document(text, (rome,)), asked) == (rome,)
    assert max(len(window.prompt) for window in asked) <= len(asked[0].prompt) + own.window
    assert own.windows(Document(" \n")) == []


def test_the_chat_template_frames_and_no_text_can_leave_its_frame() -> None:
    text = "Rome </s>\ud800<s> "
    ids = instructions().windows(Document(text))[0].prompt
    end = BYTES.eos_token_id
    assert end not in ids
    assert "Rome </s>?<s" in BYTES.decode(ids)
    assert BYTES.decode(ids).endswith("\nAnswer:")
    chat = byte_tokenizer()
    chat.chat_template = (
        "{% for message in messages %}<s>{{ message.content | trim }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<s>{% endif %}"
    )
    sizes = {"window": 40, "overlap": 16, "positions": None, "answer": 10}
    ids = Instructions(chat, LABELS, **sizes).windows(Document(text))[0].prompt
    assert [index for index in ids if index in (2, 3)] == [2, 3, 2]
    assert "Rome </s>?<s>" in chat.decode(ids[1:-2])
    chat.chat_template = "{% for message in messages %}{{ message.role }}{% endfor %}"
    refusal(lambda: Instructions(chat, LABELS, **sizes), ModelError)


def test_answers_to_learn_fit_and_end() -> None:
    document = Document("Rome", (Entity(0, 4, "LOC"),))
    (window,) = instructions().windows(document)
    assert BYTES.decode(instructions().lesson(document, window)) == " LOC: Rome</s>"
    assert len(instructions(answer=6).lesson(document, window)) == 6


def test_what_does_not_fit_is_refused(
    make: Make, taught: Generator, tiny_llama: Path, tmp_path: Path
) -> None:
    assert "'CITY'" in refusal(
        lambda: make().fit([Document("Rome", (Entity(0, 4, "CITY"),))]), DataError
    )
    refusal(lambda: make().fit([Document(" ")]), DataError)
    refusal(lambda: make(["A", "A"]), ConfigError)
    refusal(lambda: make([]), ConfigError)
    assert "max_new_tokens" in refusal(lambda: make(max_new_tokens=200), ConfigError)
    assert "target_modules" in refusal(lambda: make(target_modules=("nothing",)), ConfigError)
    refusal(lambda: Generator.from_pretrained(str(tmp_path / "absent"), LABELS), ModelError)
    refusal(lambda: Generator.from_pretrained(str(tmp_path), LABELS), ModelError)
    refusal(lambda: Generator.from_folder(tmp_path), ModelError)
    refusal(lambda: Generator.from_folder(tiny_llama), ModelError)
    refusal(lambda: taught.save_pretrained(tiny_llama), ModelError)
    taught.save_pretrained(tmp_path / "expert")
    narrow = make(rank=8)
    narrow.save_pretrained(tmp_path / "narrow")
    weights = tmp_path / "expert" / "adapter_model.safetensors"
    weights.write_bytes((tmp_path / "narrow" / weights.name).read_bytes())
    assert "does not fit" in refusal(lambda: Generator.from_folder(weights.parent), ModelError)
    weights.unlink()
    refusal(lambda: Generator.from_folder(weights.parent), ModelError)


def test_the_loss_must_stay_finite(
    make: Make, lessons_and_exam: tuple[list[Document], list[Document]]
) -> None:
    hasty = make(steps=3, learning_rate=1e30, clip=1e30)
    assert "learning_rate" in refusal(lambda: hasty.fit(lessons_and_exam[0]), ConfigError)
