"""What a text is about: sentence embeddings, by which domains and questions are compared.

The embedded encoder is a sentence encoder by training, so it serves here too, whatever encoder the
experts read with. It comes from disk and is checked, as everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convener.errors import DataError
from convener.models.encoders import minilm_folder, quiet
from convener.text.tokens import words

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LIMIT = 500
WORDS = 150
KINDRED = 0.6

Vectors = NDArray[np.float32]


def embedded(texts: Sequence[str]) -> Vectors:
    """Normalised embeddings of texts, [texts, dim]."""
    vectors = _encoder().encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)


def _stretches(text: str) -> Iterator[str]:
    cut = words(text)
    for first in range(0, len(cut), WORDS):
        last = cut[min(first + WORDS, len(cut)) - 1]
        yield text[cut[first][0] : last[1]]


@cache
def _encoder() -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    with quiet():
        return SentenceTransformer(str(minilm_folder()), device="cpu", local_files_only=True)


def domain(texts: Sequence[str], seed: int = 0) -> tuple[Vectors, float, int]:
    """Mean [dim] of the normalised embeddings of at most 500 texts, their spread, their number.

    Texts of more than `WORDS` words are cut into such stretches, since the encoder reads no more.
    The spread is the mean of one minus the cosine of each with the mean.

    Raises:
        DataError: there is no text.
    """
    written = [stretch for text in texts for stretch in _stretches(text)]
    if not written:
        raise DataError(f"expected sentences to compare domains by, got {len(texts)} empty ones")
    drawn = np.random.default_rng(seed).permutation(len(written))[:LIMIT]
    vectors = embedded([written[index] for index in sorted(drawn)])
    mean = vectors.mean(axis=0)
    cosines = vectors @ mean / max(float(np.linalg.norm(mean)), 1e-9)
    return mean, float(1 - cosines.mean()), len(drawn)


def kindred(
    wanted: Mapping[str, str], known: Mapping[str, Mapping[str, str]]
) -> dict[str, frozenset[str]]:
    """Which of the wanted types each expert knows, maybe by another name.

    Types come with their questions. An expert knows a type if it was trained on it, or on one whose
    question means about the same: their embeddings have a cosine of at least 0.6. So who was taught
    PER knows *politician*, and who was taught Disease does not.
    """
    texts = [*wanted.values(), *(q for types in known.values() for q in types.values())]
    vectors = dict(zip(texts, embedded(texts), strict=True)) if texts else {}
    return {
        name: frozenset(
            label
            for label, question in wanted.items()
            if label in types
            or any(float(vectors[question] @ vectors[q]) >= KINDRED for q in types.values())
        )
        for name, types in known.items()
    }
