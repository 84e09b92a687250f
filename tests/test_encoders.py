"""Encoders: found by name, checked, and never fetched when they are on this disk."""

import json
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from convener.errors import ModelError
from convener.models import encoders
from convener.models.encoders import Encoder, minilm_folder, resolve
from tests.conftest import SIZES


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that refuse to connect."""

    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return


def test_minilm_is_embedded_and_verified(no_network: None) -> None:
    encoder = Encoder.from_pretrained("minilm", shapes=True)
    assert encoder.dim == 384
    assert encoder.max_pieces == 510
    assert resolve("minilm") == (str(minilm_folder()), True)


def test_an_altered_minilm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "MINILM_SHA256", "0" * 64)
    minilm_folder.cache_clear()
    with pytest.raises(ModelError, match="not the published one"):
        minilm_folder()


def test_a_local_folder_opens_no_socket(no_network: None, tiny_encoder: Path) -> None:
    assert Encoder.from_pretrained(str(tiny_encoder), shapes=False).dim == 32


def test_names_and_paths(tmp_path: Path, tiny_encoder: Path) -> None:
    assert resolve(str(tiny_encoder)) == (str(tiny_encoder), True)
    assert resolve("bert-base-cased") == ("bert-base-cased", False)
    for path in (str(tmp_path / "none"), "./none", "~/none/such", "a/b/c"):
        with pytest.raises(ModelError, match="no encoder folder"):
            resolve(path)


def test_a_folder_without_weights(tmp_path: Path, tiny_encoder: Path) -> None:
    for path in tiny_encoder.iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match="cannot load the encoder"):
        Encoder.from_pretrained(str(tmp_path), shapes=False)


def test_an_encoder_with_weights_missing(tmp_path: Path, tiny_encoder: Path) -> None:
    for path in tiny_encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    dropped = next(name for name in sorted(weights) if "attention" in name)
    save_file({k: v for k, v in weights.items() if k != dropped}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="lacks 1 of its weights"):
        Encoder.from_pretrained(str(tmp_path), shapes=False)


def test_an_encoder_without_its_tokenizer(tmp_path: Path, tiny_encoder: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_encoder / name).read_bytes())
    with pytest.raises(ModelError, match="tokenizer"):
        Encoder.from_pretrained(str(tmp_path), shapes=False)


def test_code_in_a_folder_is_never_run(tmp_path: Path, tiny_encoder: Path) -> None:
    for path in tiny_encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoModel": "strange.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "strange.py").write_text("raise SystemExit('this code was run')\n")
    with pytest.raises(ModelError, match="cannot load the encoder"):
        Encoder.from_pretrained(str(tmp_path), shapes=False)


def test_words_are_cut_one_by_one(tiny_encoder: Path) -> None:
    words = Encoder.from_pretrained(str(tiny_encoder), shapes=False).words
    assert words([" Rome", " aspirin"]) == [*words([" Rome"]), *words([" aspirin"])]
    assert all(words([" \ufe0f", " x" * 3, "東", "\ud800"]))


def test_without_shapes_input_is_the_encoders_own(tiny_encoder: Path) -> None:
    encoder = Encoder.from_pretrained(str(tiny_encoder), shapes=False).eval()
    ids = torch.tensor([[2, 7, 8, 3]])
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        expected = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state
        found = encoder(ids, mask, torch.zeros_like(ids))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("kind", "more", "pieces", "depth"),
    [
        ("electra", {"embedding_size": 16}, 62, 0),
        ("electra", {"embedding_size": 32}, 62, 2),
        ("roberta", {}, 60, 2),
        ("mpnet", {}, 60, 0),
        ("deberta-v2", {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}, 62, 0),
    ],
)
def test_encoders_of_other_kinds(
    tiny_encoder: Path, kind: str, more: dict[str, object], pieces: int, depth: int
) -> None:
    """A full window is read, with shapes, and layers are divided only where they can be."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_encoder)
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(tokenizer),
        **SIZES,
        **more,
    )
    torch.manual_seed(0)
    encoder = Encoder(AutoModel.from_config(config), tokenizer, shapes=True).eval()
    assert (encoder.max_pieces, encoder.depth) == (pieces, depth)
    ids = torch.full((1, pieces + 2), 7)
    mask, shapes = torch.ones_like(ids), torch.ones_like(ids)
    with torch.inference_mode():
        whole = encoder(ids, mask, shapes)
        if depth:
            below = encoder.below(ids, mask, shapes, 0, 0, 1)
            torch.testing.assert_close(encoder.above(below, mask, 1), whole)
    assert whole.shape == (1, pieces + 2, 32)


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_an_encoder_with_a_decoder_is_refused_by_its_configuration(
    tmp_path: Path, kind: str
) -> None:
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="which also has a decoder: give one such as 'minilm'"):
        Encoder.from_pretrained(str(tmp_path), shapes=True)


def test_an_encoder_without_a_limit_is_read_by_windows(tiny_encoder: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_encoder)
    small = {"d_model": 32, "n_head": 2, "d_inner": 32, "n_layer": 1}
    config = AutoConfig.for_model("xlnet", vocab_size=len(tokenizer), **small)
    encoder = Encoder(AutoModel.from_config(config), tokenizer, shapes=True)
    assert encoder.max_pieces == 510
