"""A student answers as its panel does, at the cost of one expert, and reads no label."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from convener import Recogniser, distill, load, train
from convener.errors import ConfigError, DataError
from convener.evaluation.scores import score
from convener.models.layout import Example
from convener.panel.panel import Panel
from convener.recipes.distill import Distillation, DistillConfig
from convener.recipes.run_config import RunConfig
from convener.text.documents import Document
from convener.text.formats import write
from convener.training.corpus import SoftObjective
from convener.training.optimiser_config import OptimiserConfig
from convener.training.progress import Log
from tests.program import convener, refusal

CONFIG = DistillConfig(
    rounds=3,
    round_steps=40,
    optimiser=OptimiserConfig(learning_rate=3e-3, head_learning_rate=1e-2),
)


@pytest.fixture(scope="module")
def panel(labelled: list[Document], run_config: Callable[..., RunConfig]) -> Recogniser:
    """Two experts that differ."""
    return train(labelled, config=run_config(experts=2, self_training=False))


@pytest.fixture(scope="module")
def student(panel: Recogniser, labelled: list[Document]) -> Recogniser:
    """What it teaches."""
    return distill(panel, labelled, config=CONFIG)


def distance(left: Panel, right: Panel, documents: list[Document]) -> float:
    """Mean difference of their probabilities."""
    pairs = zip(left.probabilities(documents), right.probabilities(documents), strict=True)
    return float(np.mean([np.abs(a - b).mean() for a, b in pairs]))


def test_it_answers_as_the_panel_does(
    panel: Recogniser, student: Recogniser, labelled: list[Document]
) -> None:
    assert len(student.panel.experts) == 1
    taught = list(panel.annotate(labelled))
    assert score(taught, list(student.annotate(labelled))).exact.f1 > 0.97
    first = Panel(panel.panel.experts[:1])
    assert distance(student.panel, panel.panel, labelled) < distance(first, panel.panel, labelled)


def test_the_whole_panel_is_the_teacher(panel: Recogniser, labelled: list[Document]) -> None:
    recipe = Distillation(panel.panel, labelled, CONFIG, Accelerator(), Log())
    recipe.prepare()
    first = Panel(panel.panel.experts[:1]).probabilities(labelled)
    for taught, believed, alone in zip(
        recipe.objective.targets, panel.panel.probabilities(labelled), first, strict=True
    ):
        np.testing.assert_array_equal(taught, believed)
        assert not np.array_equal(taught, alone)


def test_it_is_as_sure_as_its_panel(panel: Recogniser, labelled: list[Document]) -> None:
    teacher = Recogniser(panel.panel, panel.card.model_copy(update={"temperature": 4.0}))
    short = DistillConfig(rounds=1, round_steps=1)
    assert distill(teacher, labelled, config=short).card.temperature == 4.0


def test_no_label_is_read(panel: Recogniser, student: Recogniser, labelled: list[Document]) -> None:
    bare = [replace(document, entities=(), unknown=()) for document in labelled]
    same = distill(panel, bare, config=CONFIG)
    assert student.panel.probabilities(bare)[0] == pytest.approx(
        same.panel.probabilities(bare)[0], abs=1e-6
    )
    assert same.card.distilled is not None
    assert student.card.distilled is not None
    assert same.card.distilled["data_sha256"] == student.card.distilled["data_sha256"]


def test_all_the_text_is_learnt_from(panel: Recogniser, labelled: list[Document]) -> None:
    def distillation(documents: list[Document], **settings: int) -> Distillation:
        config = DistillConfig(rounds=2, optimiser=OptimiserConfig(batch_sentences=2), **settings)
        return Distillation(panel.panel, documents, config, Accelerator(), Log())

    many = distillation(labelled * 10)
    assert sorted(e.document for part in many.shares for e in part) == list(range(300))
    assert many.round_steps * 2 * 2 >= 300
    assert many.round_steps == 100
    many = distillation(labelled * 20)
    assert many.round_steps == 150
    few = distillation(labelled)
    assert [len(part) for part in few.shares] == [len(labelled)] * 2
    assert few.round_steps == 100
    asked = distillation(labelled * 10, round_steps=3)
    assert asked.round_steps == 3
    assert [len(part) for part in asked.shares] == [len(labelled) * 10] * 2


def test_rounds_take_the_steps_that_a_pass_over_their_part_takes(
    panel: Recogniser, labelled: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts of unlike lengths fill batches badly, so there are more of them than pieces tell."""
    monkeypatch.setattr("convener.recipes.distill.MIN_ROUND_STEPS", 1)
    longer = [Document(" ".join([d.text] * (1 + i % 3))) for i, d in enumerate(labelled)]
    optimiser = OptimiserConfig(batch_pieces=64, batch_sentences=4)
    recipe = Distillation(
        panel.panel,
        longer,
        DistillConfig(rounds=2, optimiser=optimiser),
        Accelerator(),
        Log(),
    )
    recipe.prepare()
    (stage,) = recipe.stages()
    recipe.learners = stage.open()
    seen = set[int]()
    learn = SoftObjective.supervision

    def watched(self: SoftObjective, examples: Sequence[Example]) -> list[torch.Tensor]:
        seen.update(example.document for example in examples)
        return learn(self, examples)

    monkeypatch.setattr(SoftObjective, "supervision", watched)
    for number in range(stage.rounds):
        stage.round(number)
    assert seen == set(range(len(longer)))


def test_the_panel_is_left_as_it_was(panel: Recogniser, labelled: list[Document]) -> None:
    before = panel.panel.probabilities(labelled)
    distill(panel, labelled, config=CONFIG.model_copy(update={"rounds": 1}))
    after = panel.panel.probabilities(labelled)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_stopped_and_taken_up_is_one_run(
    panel: Recogniser, student: Recogniser, labelled: list[Document], tmp_path: Path
) -> None:
    class Stop:
        def stage(self, name: str, steps: int) -> None: ...
        def step(self) -> None: ...
        def stage_done(self, name: str, experts: object) -> None: ...
        def round(self, record: object) -> None:
            if "'round': 2" in str(record):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(panel, labelled, config=CONFIG, listener=Stop(), checkpoint=tmp_path / "c")
    resumed = distill(panel, labelled, config=CONFIG, checkpoint=tmp_path / "c", resume=True)
    assert resumed.panel.probabilities(labelled)[0] == pytest.approx(
        student.panel.probabilities(labelled)[0], abs=1e-6
    )


def test_only_what_its_teacher_began_is_taken_up(
    panel: Recogniser, labelled: list[Document], tmp_path: Path
) -> None:
    config = DistillConfig(rounds=1, round_steps=1)
    distill(panel, labelled, config=config, checkpoint=tmp_path / "c")
    other = Recogniser(Panel(panel.panel.experts[:1]), panel.card)
    with pytest.raises(ConfigError, match="of other experts:"):
        distill(other, labelled, config=config, checkpoint=tmp_path / "c", resume=True)


def test_more_rounds_than_windows_read_them_all(panel: Recogniser) -> None:
    config = DistillConfig(rounds=4, optimiser=OptimiserConfig(batch_sentences=2, batch_pieces=16))
    long = [Document("She took aspirin in Rome . " * 100)]
    made = Distillation(panel.panel, long, config, Accelerator(), Log())
    assert all(map(len, made.shares))


def test_what_cannot_teach_or_be_learnt_from_is_refused(
    panel: Recogniser, labelled: list[Document]
) -> None:
    with pytest.raises(DataError, match="got 2 documents without a word"):
        distill(panel, ["", "  "], config=CONFIG)
    with pytest.raises(DataError, match="gold labels in the dev set, got 30 documents without"):
        distill(panel, labelled, dev=[document.text for document in labelled], config=CONFIG)
    merged = Recogniser(Panel(panel.panel.experts, "union"), panel.card)
    with pytest.raises(ConfigError, match="got the rule 'union'"):
        distill(merged, labelled, config=CONFIG)


def test_a_user_distills(panel: Recogniser, labelled: list[Document], tmp_path: Path) -> None:
    panel.save_pretrained(tmp_path / "panel")
    write(tmp_path / "text.txt", [Document(d.text) for d in labelled])
    files = (tmp_path / "panel", tmp_path / "text.txt")
    write(tmp_path / "dev.jsonl", labelled)
    options = ("--rounds", "1", "--steps", "2", "--dev", tmp_path / "dev.jsonl")
    convener("distill", *files, "-o", tmp_path / "small", *options)
    small = load(tmp_path / "small")
    assert len(small.panel.experts) == 1
    assert small.card.dev_f1 is not None
    assert "taught by 2 on" in (tmp_path / "small" / "README.md").read_text()
    shown = convener("info", tmp_path / "small").stdout
    assert f"taught by              2 experts on {len(labelled)} documents" in shown
    line = refusal("distill", *map(str, files), "-o", str(tmp_path / "text.txt"))
    assert "text.txt" in line
