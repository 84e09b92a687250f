"""What a text is about: sentence embeddings, by which domains are compared.

The embedded encoder is a sentence encoder by training, so it serves here too, whatever encoder the
experts read with. It comes from disk and is checked, as everywhere.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convener.errors import DataError
from convener.models.encoders import minilm_folder, quiet

LIMIT = 500


def domain(texts: Sequence[str], seed: int = 0) -> tuple[NDArray[np.float32], float, int]:
    """Mean [dim] of the normalised embeddings of at most 500 texts, their spread, their number.

    The spread is the mean of one minus the cosine of each with the mean.

    Raises:
        DataError: there is no text.
    """
    from sentence_transformers import SentenceTransformer

    written = [text for text in texts if text.strip()]
    if not written:
        raise DataError(f"expected sentences to compare domains by, got {len(texts)} empty ones")
    drawn = np.random.default_rng(seed).permutation(len(written))[:LIMIT]
    with quiet():
        encoder = SentenceTransformer(str(minilm_folder()), device="cpu", local_files_only=True)
    vectors = encoder.encode(
        [written[index] for index in sorted(drawn)],
        normalize_embeddings=True,
        show_progress_bar=False,
    )
    mean = np.asarray(vectors, dtype=np.float32).mean(axis=0)
    cosines = vectors @ mean / max(float(np.linalg.norm(mean)), 1e-9)
    return mean, float(1 - cosines.mean()), len(drawn)
