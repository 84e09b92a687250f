"""A graph with the weights of its products in int8, and what they are multiplied with too.

Weights are rounded by column. What they are multiplied with is rounded by a scale that is fixed
when the graph is written: a scale taken from each batch, as is usual, would make an entity depend
on the texts beside it. The scales cover what is seen while the model reads random sub-words, so no
text is needed; what lies beyond is clipped. Embeddings, attention and norms stay in float32.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from convener.models.layout import Numbers
from convener.models.pieces import Frame
from convener.text.tokens import SHAPES

_LENGTHS = (8, 16, 32, 64, 128) * 2
_PIECES = 512


def quantise(source: Path, target: Path, frame: Frame, vocabulary: int, longest: int) -> None:
    """Write the graph at `source` in int8; it reads ids below `vocabulary`, `longest` at most."""
    graph = onnx.load(source).graph
    constant = {tensor.name for tensor in graph.initializer}
    products = [n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] in constant]
    names = [value.name for value in graph.input]
    quantize_static(
        source,
        target,
        _Reader(_samples(names, frame, vocabulary, longest)),
        quant_format=QuantFormat.QDQ,
        nodes_to_quantize=products,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """The samples as the library asks for them."""

    def __init__(self, samples: Iterator[Mapping[str, Numbers]]) -> None:
        self.samples = samples

    def get_next(self) -> Mapping[str, Numbers] | None:
        """The next sample."""
        return next(self.samples, None)


def _samples(
    names: Sequence[str], frame: Frame, vocabulary: int, longest: int
) -> Iterator[dict[str, Numbers]]:
    """Random sub-words of random shapes, every second one a word."""
    random = np.random.default_rng(0)
    for length in (min(length, longest) for length in _LENGTHS):
        size = (_PIECES // length, length)
        ids = random.integers(0, vocabulary, size)
        shapes = random.integers(1, len(SHAPES) + 1, size)
        ids[:, 0], ids[:, -1] = frame.first, frame.last
        shapes[:, 0] = shapes[:, -1] = 0
        places = np.tile(np.arange(0, length, 2), (len(ids), 1))
        sample = {
            "ids": ids,
            "mask": np.ones_like(ids),
            "shapes": shapes,
            "places": places,
            "real": np.ones_like(places),
        }
        yield {name: sample[name] for name in names}
