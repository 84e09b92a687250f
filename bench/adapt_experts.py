"""Training for the table of libraries: the base, its experts, and readers of all sources."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jobs

SOURCES = {
    "conll03": ("distant/conll03", "train.gold"),
    **{
        name: (f"domains/{name}", "train")
        for name in ("wnut17", "btc", "ncbi", "bc2gm", "mit-movie")
    },
}
TARGETS = ("politics", "science", "music", "literature", "ai")
OTHERS = {f"crossner-{name}": (f"domains/crossner-{name}", "train") for name in TARGETS}
READER = {
    "words": "given",
    "model": "reader",
    "reader.heads": "shared",
    "reader.negatives": 4,
    "reader.inside": False,
}


def documents(folder: str, name: str, part: int | None) -> list:
    """The first documents of a split."""
    from convener.text.formats import read

    return list(read(jobs.data() / folder / f"{name}.jsonl"))[:part]


def source_documents(sources: Sequence[str], part: int | None) -> list:
    """Sentences of all sources, each with the types that its source was labelled with.

    Types whose names differ by case only have the name that came first.
    """
    from convener.text.documents import labels_of

    found = []
    known: dict[str, str] = {}
    for name in sources:
        read = documents(*(SOURCES | OTHERS)[name], part)
        same = {label: known.setdefault(label.casefold(), label) for label in labels_of(read)}
        types = tuple(dict.fromkeys(same.values()))
        for document in read:
            entities = tuple(replace(e, label=same[e.label]) for e in document.entities)
            found.append(replace(document, entities=entities, types=types))
    return found


def train(source: str, without: str | None = None, **training) -> list[jobs.Row]:
    """Train the base, an expert, or a unified one, which knows all sources or all but one."""
    if without is not None:
        return [go_on(source, without, **training)]
    return [expert(source, **training)]


def expert(
    source: str,
    library: str,
    part: int | None,
    steps: int,
    base_steps: int,
    batch: int,
    sources: Sequence[str],
    settings: dict[str, str],
) -> jobs.Row:
    """Train the base, one expert, or the unified one."""
    from convener import api
    from convener.experts import train_expert

    together = source in ("base", "unified")
    training = source_documents(sources if together else [source], part)
    taken = {"base": base_steps, "unified": steps * len(sources)}.get(source, steps)
    config = configured(taken, batch, 4e-4 if source == "base" else 1e-3, settings)
    began = time.monotonic()
    folder = Path(library)
    if source == "base":
        api.train(training, config=config).save_pretrained(folder / "base")
    else:
        shelf = folder / ("unified" if together else "domains")
        base = None if shelf.exists() else folder / "base"
        train_expert(training, source, shelf, config=config, base=base)
    return trained(source, training, taken, began)


def go_on(
    source: str,
    without: str,
    library: str,
    part: None,
    steps: int,
    base_steps: int,
    batch: int,
    sources: Sequence[str],
    settings: dict[str, str],
) -> jobs.Row:
    """Train the unified expert further, on all sources but one domain."""
    from convener.experts import train_expert
    from convener.inference.recogniser import Recogniser
    from convener.inference.shelf import Library
    from convener.models.adapter import apply
    from convener.models.questions import questions_for
    from convener.models.reader_config import ReaderConfig
    from convener.panel.panel import Panel
    from convener.text.documents import labels_of

    others = [name for name in OTHERS if name != without]
    training = source_documents([*sources, *others], 200)
    taken = steps * len(others)
    began = time.monotonic()
    folder = Path(library)
    so_far = folder / "unified-base"
    if not so_far.exists():
        shelf = Library.open(folder / "unified")
        spans = ReaderConfig(width=16, nested=False)
        reader = shelf.reader(questions_for(labels_of(training)), spans)
        apply(reader, shelf.adapter("unified"))
        card = Recogniser.from_folder(folder / "base", "cpu").card
        Recogniser(Panel([reader]), card).save_pretrained(so_far)
    config = configured(taken, batch, 1e-3, settings)
    train_expert(training, "unified", folder / f"unified-{without}", config=config, base=so_far)
    return trained(source, training, taken, began)


def configured(steps: int, batch: int, rate: float, settings: dict[str, str]):
    """Supervised training of a reader for so many steps."""
    from convener.recipes.run_config import SUPERVISED, override

    changes = READER | {
        "bond.round_steps": max(1, steps // 5),
        "bond.warmup_rounds": 4,
        "bond.expert_rounds": 1,
        "optimiser.batch_sentences": batch,
        "optimiser.batch_pieces": 65536,
        "optimiser.learning_rate": rate,
    }
    changes |= jobs.changes(settings)
    return override(SUPERVISED, changes)


def trained(source: str, training: Sequence, steps: int, began: float) -> jobs.Row:
    """The row of a training."""
    row: jobs.Row = {"task": "expert", "source": source, "train_sentences": len(training)}
    row |= {
        "steps": steps,
        "seconds": round(time.monotonic() - began, 1),
        "peak_mb": jobs.peak_mb(),
    }
    return row | jobs.provenance()
