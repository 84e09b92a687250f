"""Doubtful labels: judged by experts that never saw them, suggested, reviewed, applied."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from convener import train
from convener.dictionary.patch import Change, Patch, fingerprint, read_changes
from convener.dictionary.review import suggested
from convener.errors import ConfigError
from convener.evaluation.scores import score
from convener.recipes import audit
from convener.recipes.audit import Judged, judge
from convener.recipes.run import Trained
from convener.recipes.run_config import RunConfig, override
from convener.text.documents import Document, Entity
from convener.text.formats import write
from tests.program import convener, refusal


@pytest.fixture(scope="module")
def config(run_config: Callable[..., RunConfig]) -> RunConfig:
    """Stage I of a tiny tagger that learns the toy sentences."""
    steps = {"bond.round_steps": 30, "bond.warmup_rounds": 4, "abstain": "never"}
    return override(run_config(), steps)


@pytest.fixture(scope="module")
def spoilt(labelled: Sequence[Document]) -> list[Document]:
    """The toy sentences, thrice, with three labels spoilt: another type, a part, none."""
    documents = [replace(d, id=str(i)) for i, d in enumerate([*labelled] * 3)]
    drug, place = documents[7].entities[0], documents[26].entities[0]
    assert documents[26].surface(place) == "New York"
    changed = {
        7: (replace(drug, label="LOC"),),
        26: (replace(place, start=place.start + 4), *documents[26].entities[1:]),
        12: documents[12].entities[1:],
    }
    return [replace(d, entities=changed.get(i, d.entities)) for i, d in enumerate(documents)]


@pytest.fixture(scope="module")
def judged(spoilt: list[Document], config: RunConfig) -> list[Judged]:
    """The spoilt sentences and what is said of them."""
    return judge(spoilt, config, folds=2)


def changes_of(judged: Sequence[Judged]) -> list[tuple[str, str]]:
    changes = suggested((j.document, j.answers, j.outside) for j in judged)
    return [(change.change, change.surface) for change in changes]


def accepting(change: Change) -> Change:
    return change.model_copy(update={"accept": True})


def test_what_is_wrong_is_found_and_mended(
    judged: list[Judged], spoilt: list[Document], labelled: Sequence[Document]
) -> None:
    assert [j.document for j in judged] == spoilt
    changes = suggested((j.document, j.answers, j.outside) for j in judged)
    retyped, missing = spoilt[7].entities[0], labelled[12].entities[0]
    wrong = {
        ("replace", spoilt[7].surface(retyped), "LOC"),
        ("replace", "York", "LOC"),
        ("add", labelled[12].surface(missing), missing.label),
    }
    places = {fingerprint(spoilt[i].text) for i in (7, 26, 12)}
    accepted = [c for c in changes if c.text in places and (c.change, c.surface, c.label) in wrong]
    assert len(accepted) == 3
    mended = list(Patch(map(accepting, accepted)).label(spoilt))
    assert score([*labelled] * 3, mended).exact.f1 == 1


def test_nobody_judges_what_it_was_trained_on(
    spoilt: list[Document], config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouped = [replace(d, group=str(i // 7)) for i, d in enumerate(spoilt)]
    seen: list[Sequence[Document]] = []
    answered: list[Sequence[Document]] = []
    answers = audit._answers

    def trained(documents: Sequence[Document], *rest: object, **more: object) -> Trained:
        seen.append(documents)
        quick = override(config, {"bond.round_steps": 1, "bond.warmup_rounds": 1})
        return train_panel(documents, quick)

    def watched(panel: object, documents: Sequence[Document]) -> list[Judged]:
        answered.append(documents)
        return answers(panel, documents)  # type: ignore[arg-type]

    train_panel = audit.train_panel
    monkeypatch.setattr(audit, "train_panel", trained)
    monkeypatch.setattr(audit, "_answers", watched)
    judge(grouped, config, folds=3)
    assert len(seen) == len(answered) == 3
    assert sorted(int(d.id or 0) for part in answered for d in part) == list(range(len(grouped)))
    for known, new in zip(seen, answered, strict=True):
        assert {d.group for d in known}.isdisjoint({d.group for d in new})
        assert len(known) + len(new) == len(grouped)


def test_what_is_not_there_is_doubted_by_how_sure_that_is(judged: list[Judged]) -> None:
    for one in judged:
        assert len(one.outside) == len(one.document.entities)
        for entity, nothing in zip(one.document.entities, one.outside, strict=True):
            assert 0 <= nothing <= 1
            if any((a.span, a.label) == (entity.span, entity.label) for a in one.answers):
                assert nothing < 0.5


@pytest.mark.parametrize("folds", [1, 0, 91])
def test_folds_that_cannot_be_dealt_are_refused(
    folds: int, spoilt: list[Document], config: RunConfig
) -> None:
    with pytest.raises(ConfigError, match="expected from 2 folds to one for each of 90"):
        judge(spoilt, config, folds)


def test_labels_in_a_single_fold_are_refused(config: RunConfig) -> None:
    documents = [Document("Rome", (Entity(0, 4, "LOC"),)), *[Document("tea")] * 5]
    with pytest.raises(ConfigError, match="labels in more than one of 6 folds"):
        judge(documents, override(config, {"bond.round_steps": 1}), folds=6)


def test_a_user_audits_reviews_and_applies(
    spoilt: list[Document], config: RunConfig, tmp_path: Path
) -> None:
    quick = override(config, {"bond.round_steps": 20, "bond.self_training": False})
    train(spoilt[:30], config=quick).save_pretrained(tmp_path / "model")
    write(tmp_path / "labelled.jsonl", spoilt[:30])
    patch = tmp_path / "patch.jsonl"
    done = convener(
        "audit", tmp_path / "model", tmp_path / "labelled.jsonl", "--patch", patch, "--folds", "2"
    )
    assert "changes: " in done.stdout
    assert f"convener review {patch}" in done.stdout
    changes = read_changes(patch)
    assert changes
    done = convener("review", patch, stdin="n\nb\ny\nn\nq\n")
    assert f"1/{len(changes)} " in done.stdout
    kept = read_changes(patch)
    assert [change.accept for change in kept[:2]] == [True, False]
    assert list(map(accepting, kept)) == list(map(accepting, changes))
    convener("review", patch, "--from", "2", stdin="a\n")
    assert all(change.accept for change in read_changes(patch))
    line = refusal("audit", tmp_path / "model", tmp_path / "labelled.jsonl")
    assert "give --patch FILE" in line
    folder = ["--patch", tmp_path]
    line = refusal("audit", tmp_path / "model", tmp_path / "labelled.jsonl", *folder)
    assert "got the folder" in line


def test_texts_without_labels_are_all_additions() -> None:
    answer = Entity(0, 4, "LOC", 0.9)
    assert changes_of([Judged(Document("Rome"), (answer,), ())]) == [("add", "Rome")]


@pytest.mark.parametrize(
    ("answers", "outside", "accepted"),
    [
        ((Entity(0, 4, "PER", 0.81),), 0.1, True),
        ((Entity(0, 4, "PER", 0.79),), 0.1, False),
        ((), 0.99, False),
    ],
)
def test_only_a_believed_rival_is_accepted_unseen(
    answers: tuple[Entity, ...], outside: float, accepted: bool
) -> None:
    labelled = Document("Rome", (Entity(0, 4, "LOC"),))
    (change,) = suggested([(labelled, answers, (outside,))])
    assert change.accept == accepted
