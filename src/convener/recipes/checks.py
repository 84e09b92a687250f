"""What documents and settings must be before anything is trained or chosen by them."""

from collections.abc import Sequence

from convener.errors import ConfigError, DataError, short
from convener.recipes.run_config import RunConfig
from convener.text.documents import Document


def check_labelled(documents: Sequence[Document]) -> None:
    """Raise DataError if there is nothing to learn from."""
    if not documents:
        raise DataError(
            "expected labelled documents, got none: was an iterator of them read before?"
        )
    if not any(document.entities for document in documents):
        raise DataError(
            f"expected labelled documents, got {len(documents)} without a single entity: "
            "label them by a dictionary (--dictionary), or check that it fits the text"
        )
    if not any(document.words() for document in documents):
        raise DataError(f"expected text to learn from, got {len(documents)} documents with no word")


def check_gold(
    documents: Sequence[Document] | None, labels: Sequence[str], name: str = "the dev set"
) -> None:
    """Raise DataError if there are gold documents, and nothing in them to score these types on."""
    if documents is None:
        return
    found = sorted({entity.label for document in documents for entity in document.entities})
    if not found:
        raise DataError(f"expected gold labels in {name}, got {len(documents)} documents without")
    if not set(found) & set(labels):
        raise DataError(
            f"expected types such as {short(labels[0])} in {name}, got {short(found)}: "
            "give both the same names"
        )


def check_plain(config: RunConfig, resume: bool = False) -> None:
    """Raise ConfigError if a run is not plain training in one go."""
    if resume:
        raise ConfigError("a language model is trained in one go: leave out --resume")
    if config.bond.self_training or config.rivals or config.abstain != "never":
        raise ConfigError(
            "expected plain training of a language model, got the recipe for distant labels: "
            "add --gold, which takes the labels as they are"
        )
    if config.exchanges:
        raise ConfigError("expected taggers or readers for exchanges, got a language model")
    if config.bond.experts != 1:
        raise ConfigError(f"expected 1 language model to teach, got {config.bond.experts} experts")
