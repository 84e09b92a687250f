"""Writing a panel as one ONNX graph, which `convener.inference.exported` answers with.

config.json, README.md, run.json    as in every model folder
model.onnx                          all experts in one graph, what they share kept once
tokenizer.json                      how words are cut
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from convener.errors import ConfigError, ModelError
from convener.files import new_folder
from convener.inference.card import Card
from convener.inference.exported import GRAPH, NEEDED, TOKENIZER
from convener.inference.manifest import (
    CONFIG,
    Exported,
    check_target,
    read_config,
    write_manifest,
)
from convener.inference.storage import described
from convener.models.encoders import Encoder
from convener.models.graphs import ReaderGraph, TaggerGraph
from convener.models.reader import Reader
from convener.models.tagger import Tagger
from convener.panel.panel import Panel

_BATCH, _PIECES, _WORDS = 2, 12, 7


def export_panel(panel: Panel, card: Card, folder: str | Path, int8: bool = False) -> None:
    """Write a panel as a graph to a folder, replacing an older model there.

    Raises:
        ConfigError: the extra `onnx` is not installed.
        ModelError: `folder` exists and is no exported model, or the encoder's tokenizer is one that
            only transformers can run.
    """
    try:
        import onnxscript  # noqa: F401

        from convener.inference.quantise import quantise
    except ImportError:
        raise ConfigError(NEEDED) from None
    target = Path(folder)
    check_target(target)
    if (target / CONFIG).is_file() and read_config(target).exported is None:
        raise ModelError(f"{target} holds a model that was not exported: choose another name")
    first = panel.experts[0]
    assert isinstance(first, Tagger | Reader)
    exported = Exported(
        precision="int8" if int8 else "float32",
        frame=first.encoder.words.frame,
        window=first.layout.window,
        longest=first.layout.longest if isinstance(first, Reader) else 0,
    )
    with new_folder(target) as fresh, TemporaryDirectory() as scratch:
        _write_tokenizer(first.encoder, fresh / TOKENIZER)
        plain = Path(scratch) / GRAPH if int8 else fresh / GRAPH
        _write_graph(_graph(panel), plain)
        if int8:
            vocabulary = int(first.encoder.model.config.vocab_size)
            with _quiet():
                quantise(plain, fresh / GRAPH, exported.frame, vocabulary, exported.window)
        write_manifest(fresh, described(panel, card, exported))


def _write_tokenizer(encoder: Encoder, path: Path) -> None:
    backend = getattr(encoder.words.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            "expected a tokenizer that the library tokenizers can run, got "
            f"{type(encoder.words.tokenizer).__name__}: use the model as it is, or another encoder"
        )
    backend.save(str(path))


def _graph(panel: Panel) -> TaggerGraph | ReaderGraph:
    taggers = [expert for expert in panel.experts if isinstance(expert, Tagger)]
    readers = [expert for expert in panel.experts if isinstance(expert, Reader)]
    return TaggerGraph(taggers) if taggers else ReaderGraph(readers)


def _write_graph(graph: TaggerGraph | ReaderGraph, path: Path) -> None:
    batch, pieces, words = map(torch.export.Dim, ("batch", "pieces", "words"))
    sizes = {"places": words, "real": words}
    shapes = tuple({0: batch, 1: sizes.get(name, pieces)} for name in graph.INPUTS)
    examples = tuple(
        torch.ones(_BATCH, _WORDS if name in sizes else _PIECES, dtype=torch.int64)
        for name in graph.INPUTS
    )
    devices = [next(expert.parameters()).device for expert in graph.experts]
    try:
        with _quiet(), torch.inference_mode():
            program = torch.onnx.export(
                graph.eval().cpu(),
                examples,
                input_names=graph.INPUTS,
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
    finally:
        for expert, device in zip(graph.experts, devices, strict=True):
            expert.to(device)
    assert program is not None
    program.save(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """No remarks of the exporter, which speak of its own inside."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
