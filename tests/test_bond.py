"""BOND-MoE: what the recipe computes, and what must not change its result."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from convener import Document, Entity, Gazetteer, Recogniser, evaluate, load, train
from convener.errors import ConfigError, DataError
from convener.models.expert import Expert
from convener.models.layout import Example, Rows
from convener.models.span_layout import SpanLayout
from convener.models.spans import NEVER, SPANS
from convener.recipes.bond import Bond, pseudo_labels
from convener.recipes.bond_config import BondConfig
from convener.recipes.rounds import Runner
from convener.recipes.run import make_expert
from convener.recipes.run_config import PAPERS, SUPERVISED, RunConfig, override, parse_config
from convener.recipes.settings import parsed
from convener.text.documents import labels_of
from convener.training.progress import Log

MakeConfig = Callable[..., RunConfig]


class Stop(Log):
    """Stops a run, as Ctrl-C does, at one of its steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


class Rounds(Log):
    """Keeps the figures of each round."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, object]] = []

    def round(self, record: Mapping[str, object]) -> None:
        self.records.append(record)


def same(left: Recogniser, right: Recogniser) -> bool:
    """Whether two models have equal parameters."""
    pairs = zip(left.panel.experts, right.panel.experts, strict=True)
    return all(
        torch.equal(a, b)
        for one, other in pairs
        for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


def test_the_same_seed_gives_the_same_model(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    first = train(labelled, config=run_config(seed=3))
    assert same(first, train(labelled, config=run_config(seed=3)))
    assert not same(first, train(labelled, config=run_config(seed=4)))


@pytest.mark.parametrize("after", [5, 17, 30, 43, 60, 85])
def test_stopped_and_resumed_equals_uninterrupted(
    labelled: list[Document],
    run_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    config = run_config(ema=0.9, refresh=1)
    dev = labelled[:10]
    whole = train(labelled, dev=dev, config=config)
    checkpoint = tmp_path / "checkpoint"
    monkeypatch.setitem(Runner.__init__.__kwdefaults__, "save_share", math.inf)
    with pytest.raises(KeyboardInterrupt):
        train(labelled, dev=dev, config=config, listener=Stop(after), checkpoint=checkpoint)
    started = checkpoint.exists()
    again = train(labelled, dev=dev, config=config, checkpoint=checkpoint, resume=started)
    assert started == (after > 8)
    assert same(whole, again)
    figures = [{k: v for k, v in r.items() if k != "seconds"} for r in whole.card.history]
    assert [{k: v for k, v in r.items() if k != "seconds"} for r in again.card.history] == figures


def test_a_checkpoint_of_another_run_is_refused(
    labelled: list[Document], run_config: MakeConfig, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    train(labelled, config=run_config(), checkpoint=checkpoint)
    with pytest.raises(ConfigError, match="of seed 0 in the place of 9, other weights"):
        train(labelled, config=run_config(seed=9), checkpoint=checkpoint, resume=True)
    told = override(run_config(), {"reader.questions": {"DRUG": "a drug ?"}})
    train(labelled, config=told, checkpoint=tmp_path / "told")
    with pytest.raises(ConfigError, match=r"of reader\.questions\.DRUG a drug \? in the place of"):
        train(labelled, config=run_config(), checkpoint=tmp_path / "told", resume=True)
    with pytest.raises(ConfigError, match="of other documents, other dev documents: "):
        train(labelled[1:], dev=labelled, config=run_config(), checkpoint=checkpoint, resume=True)
    with pytest.raises(DataError, match="no checkpoint"):
        train(labelled, config=run_config(), checkpoint=tmp_path / "none", resume=True)


def test_nothing_is_prepared_for_a_run_that_cannot_be(
    labelled: list[Document],
    run_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkpoint, prepared = tmp_path / "checkpoint", []
    monkeypatch.setattr(Bond, "prepare", lambda recipe: prepared.append(recipe))
    config = run_config(start="random")
    train(labelled, config=config, checkpoint=checkpoint)
    assert len(prepared) == 1
    with pytest.raises(DataError, match="take it up"):
        train(labelled, config=config, checkpoint=checkpoint)
    other = run_config(seed=9, start="random")
    with pytest.raises(ConfigError, match="of seed 0 in the place of 9"):
        train(labelled, config=other, checkpoint=checkpoint, resume=True)
    assert len(prepared) == 1


def test_pseudo_labels_are_made_once_for_each_teacher(
    labelled: list[Document], run_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counted(*arguments: object) -> object:
        made.append(arguments)
        return pseudo_labels(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("convener.recipes.bond.pseudo_labels", counted)
    train(labelled, config=run_config(self_rounds=5, refresh=2))
    assert len(made) == 3


def test_a_checkpoint_of_other_pretrained_weights_is_refused(
    labelled: list[Document], run_config: MakeConfig, tiny_encoder: Path, tmp_path: Path
) -> None:
    encoder, checkpoint = shutil.copytree(tiny_encoder, tmp_path / "enc"), tmp_path / "checkpoint"
    config = override(run_config(), {"tagger.encoder": str(encoder)})
    with pytest.raises(KeyboardInterrupt):
        train(labelled, config=config, listener=Stop(20), checkpoint=checkpoint)
    weights = load_file(encoder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"] += 1
    save_file(weights, encoder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match="other weights to begin with"):
        train(labelled, config=config, checkpoint=checkpoint, resume=True)


def test_a_new_run_never_replaces_what_stands_in_its_place(
    labelled: list[Document], run_config: MakeConfig, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("keep me")
    with pytest.raises(DataError, match="in the way"):
        train(labelled, config=run_config(), checkpoint=tmp_path / "mine")
    with pytest.raises(KeyboardInterrupt):
        train(labelled, config=run_config(), listener=Stop(20), checkpoint=tmp_path / "stopped")
    with pytest.raises(DataError, match="--resume"):
        train(labelled, config=run_config(), checkpoint=tmp_path / "stopped")
    assert (tmp_path / "mine" / "precious.txt").read_text() == "keep me"


def test_training_leaves_the_callers_randomness_alone(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(labelled, config=run_config(experts=1, self_training=False))
    assert torch.equal(torch.rand(3), expected)


def test_experts_stay_apart_under_dev_selection(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    apart = {}

    class Experts(Log):
        def stage_done(self, name: str, experts: Sequence[Expert]) -> None:
            states = [torch.cat([p.flatten() for p in e.parameters()]) for e in experts]
            apart[name] = len(states) > 1 and not torch.equal(*states)

    config = run_config(experts=2, warmup_rounds=6)
    train(labelled, dev=labelled, config=config, listener=Experts())
    assert apart["experts"]


def test_bf16_scores_the_model_that_is_saved(
    labelled: list[Document], run_config: MakeConfig, tmp_path: Path
) -> None:
    config = override(run_config(), {"optimiser.precision": "bf16"})
    model = train(labelled, dev=labelled[:10], config=config)
    model.save_pretrained(tmp_path / "model")
    texts = [document.text for document in labelled]
    assert load(tmp_path / "model").predict(texts) == model.predict(texts)
    assert not same(model, train(labelled, dev=labelled[:10], config=run_config()))


def test_a_dev_set_without_gold_is_refused(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    with pytest.raises(DataError, match="gold labels in the dev set"):
        train(labelled, dev=["Rome ."], config=run_config())
    other = [Document("Rome .", (Entity(0, 4, "CITY"),))]
    with pytest.raises(DataError, match=r"types such as 'DRUG' in the dev set, got \['CITY'\]"):
        train(labelled, dev=other, config=run_config())


def test_every_round_tells_its_assignment(labelled: list[Document], run_config: MakeConfig) -> None:
    listener = Rounds()
    train(labelled, config=run_config(experts=3), listener=listener)
    stages = [record["stage"] for record in listener.records]
    assert stages == ["warm-up"] * 3 + ["experts"] * 2 + ["self-training"] * 2
    for record in listener.records[3:5]:
        sizes = record["sizes"]
        assert isinstance(sizes, list)
        assert sum(sizes) == len(labelled)
        assert min(sizes) >= len(labelled) // 6
        assert 0 <= float(str(record["entropy"])) <= 1
    assert listener.records[3]["moved"] is None
    assert listener.records[4]["moved"] is not None


def test_groups_stay_together(labelled: list[Document], run_config: MakeConfig) -> None:
    grouped = [replace(d, group=f"g{index // 6}") for index, d in enumerate(labelled)]
    listener = Rounds()
    model = train(grouped, config=run_config(experts=2), listener=listener)
    sizes = next(r["sizes"] for r in listener.records if r["stage"] == "experts")
    assert isinstance(sizes, list)
    assert sum(sizes) == model.card.groups == 5


@pytest.mark.parametrize("settings", [{"fair": False}, {"self_training": False}, {"experts": 1}])
def test_the_ablations_train(
    labelled: list[Document], run_config: MakeConfig, settings: dict[str, object]
) -> None:
    model = train(labelled, config=run_config(**settings))
    stages = {str(record["stage"]) for record in model.card.history}
    assert ("experts" in stages) == (settings != {"experts": 1})
    assert ("self-training" in stages) == (settings != {"self_training": False})


@pytest.mark.parametrize(
    "settings",
    [
        {"targets": "hard"},
        {"targets": "soft"},
        {"reweight": 0.0},
        {"reweight": 1.0},
        {"start": "random"},
        {"ema": 0.5},
        {"confidence": 0.999},
    ],
)
def test_every_option_changes_the_model(
    labelled: list[Document], run_config: MakeConfig, settings: dict[str, object]
) -> None:
    base = {"experts": 2, "warmup_rounds": 1, "expert_rounds": 1, "self_rounds": 1}
    plain = train(labelled, config=run_config(**base))
    other = train(labelled, config=run_config(**base, **settings))
    assert not same(plain, other)


class Believing(Bond):
    """The recipe with experts that believe what a test says, and learn nothing."""

    said: Sequence[Sequence[Rows]] = ()
    taught: Sequence[set[int]] = ()

    def _beliefs(self) -> list[list[Rows]]:
        return [list(rows) for rows in self.said]

    def _train(self, shares: Sequence[list[Example]], *_: object) -> float:
        self.taught = [{example.document for example in share} for share in shares]
        return 0.0


def believing(
    documents: list[Document], config: RunConfig, kind: type[Believing] = Believing
) -> Believing:
    expert = make_expert(documents, labels_of(documents), config)
    rest = config.bond, config.optimiser, config.seed, Accelerator(), Log()
    return kind(documents, expert, *rest)


def beliefs(recipe: Bond, explains: Callable[[int], bool]) -> list[Rows]:
    """Log-probabilities, high for the labels of the documents that are explained."""
    sure = [np.where(allowed, 0.9, 0.1).astype(np.float32) for allowed in recipe.corpus.allowed]
    return [np.log(p if explains(index) else 1 - p) for index, p in enumerate(sure)]


@pytest.mark.parametrize("fair", [True, False])
def test_each_group_goes_to_the_expert_that_explains_it(
    labelled: list[Document], run_config: MakeConfig, fair: bool
) -> None:
    recipe = believing(labelled, run_config(fair=fair))
    recipe.said = [beliefs(recipe, lambda d: d % 2 == 0), beliefs(recipe, lambda d: d % 2 == 1)]
    recipe.e_step()
    assert recipe.assigned is not None
    assert recipe.assigned.tolist() == [d % 2 for d in range(len(labelled))]
    recipe.said = [beliefs(recipe, lambda _: True), beliefs(recipe, lambda _: False)]
    recipe.e_step()
    assert recipe.assigned.bool().any() == fair


def test_experts_learn_from_the_groups_that_they_explain(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    recipe = believing(labelled, run_config(experts=2))
    recipe.experts *= 2
    everything = set(range(len(labelled)))
    recipe.hard_em(1, 0)
    assert recipe.taught[0] | recipe.taught[1] == everything
    assert not recipe.taught[0] & recipe.taught[1]
    recipe.said = [beliefs(recipe, lambda d: d % 2 == 0), beliefs(recipe, lambda d: d % 2 == 1)]
    figures = recipe.hard_em(1, 1)
    assert recipe.taught == [{d for d in everything if d % 2 == z} for z in range(2)]
    assert figures["moved"] is not None
    recipe.teach(1, 0)
    assert recipe.taught == [everything, everything]


def test_tau_reaches_the_plan(
    labelled: list[Document], run_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def fair(scores: torch.Tensor, tau: float) -> torch.Tensor:
        given.append(tau)
        return scores.argmax(dim=1)

    monkeypatch.setattr("convener.recipes.bond.assignment.fair_assignment", fair)
    recipe = believing(labelled, run_config(tau=0.37))
    recipe.said = [beliefs(recipe, lambda _: True)] * 2
    recipe.e_step()
    assert given == [0.37]


def test_groups_are_scored_by_the_mean_over_their_words(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    long = Document(" ".join(["Rome"] * 20), (Entity(0, 4, "LOC"),))
    corpus = believing([*labelled, long], run_config(experts=2)).corpus
    half = [np.log(np.where(a, 0.5, 0.125)).astype(np.float32) for a in corpus.allowed]
    scores = corpus.group_log_likelihood(half)
    torch.testing.assert_close(scores, torch.full_like(scores, math.log(0.5)))


@pytest.mark.parametrize(
    ("base", "experts", "rounds", "longest"),
    [
        (RunConfig(), 1, {"warm-up": 5, "self-training": 4}, 300),
        (RunConfig(), 3, {"warm-up": 3, "experts": 2, "self-training": 4}, 300),
        (PAPERS["bond"], 1, {"warm-up": 5, "self-training": 4}, 100),
        (PAPERS["bond-moe"], 3, {"warm-up": 3, "experts": 2, "self-training": 4}, 100),
        (SUPERVISED, 1, {"warm-up": 14}, 100),
    ],
)
def test_the_schedule(
    labelled: list[Document],
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    base: RunConfig,
    experts: int,
    rounds: dict[str, int],
    longest: int,
) -> None:
    changes = {"tagger.encoder": str(tiny_encoder), "bond.experts": experts, "bond.ema": 0.5}
    learning = [1, experts, experts][: len(rounds)]
    for whole_pass, steps in ((2.1, 50), (70.4, 70), (188.0, 100), (500.0, 167), (5e4, 300)):
        monkeypatch.setattr(f"{Bond.__module__}.steps_of_a_pass", lambda *_, n=whole_pass: n)
        recipe = believing(labelled, override(base, changes))
        stages = recipe.stages()
        assert {stage.name: stage.rounds for stage in stages} == rounds
        each = min(steps, longest)
        expected = [n * each * z for n, z in zip(rounds.values(), learning, strict=True)]
        assert [stage.steps for stage in stages] == expected
        learners = {stage.name: stage.open() for stage in stages}
        assert [len(opened) for opened in learners.values()] == learning
        averaged = {name for name, opened in learners.items() if opened[0].ema}
        assert averaged == {"self-training"} & rounds.keys()


def test_every_round_of_every_expert_draws_anew(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    seeds: list[int] = []

    class Seeded(Believing):
        def _train(self, shares: Sequence[list[Example]], *_: object) -> float:
            seeds.extend(self._seed_of(learner, z) for z, learner in enumerate(self.learners))
            for learner in self.learners:
                learner.steps += 10
            return 0.0

    recipe = believing(labelled, run_config(experts=2, refresh=1), Seeded)
    recipe.said = [beliefs(recipe, lambda _: True)] * 2
    for stage in recipe.stages():
        recipe.learners = stage.open()
        for number in range(stage.rounds):
            stage.round(number)
    assert len(set(seeds)) == len(seeds) > 8


def test_the_teacher_is_the_mean_of_the_experts_for_as_many_rounds_as_asked(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    recipe = believing(labelled, run_config(refresh=2))
    first, second = beliefs(recipe, lambda d: d % 2 == 0), beliefs(recipe, lambda _: False)
    recipe.said = [first, second]
    recipe.teach(1, 0)
    for found, left, right in zip(recipe.pseudo, first, second, strict=True):
        np.testing.assert_allclose(found, (np.exp(left) + np.exp(right)) / 2, rtol=1e-6)
    before, recipe.said = recipe.pseudo, [second, second]
    assert "changed" not in recipe.teach(1, 1)
    assert recipe.pseudo is before
    assert float(str(recipe.teach(1, 2)["changed"])) > 0
    np.testing.assert_allclose(recipe.pseudo[0], np.exp(second[0]), rtol=1e-6)


def test_dev_keeps_the_best_state(labelled: list[Document], run_config: MakeConfig) -> None:
    model = train(labelled, dev=labelled, config=run_config(experts=2))
    best = max(float(str(record["dev_f1"])) for record in model.card.history)
    found = evaluate(model, labelled).scores.exact.f1
    assert model.card.dev_f1 == best == round(100 * found, 2)


def test_a_dictionarys_file_tells_which_names_are_known(
    labelled: list[Document], run_config: MakeConfig, tmp_path: Path
) -> None:
    model = train(labelled, config=run_config(experts=1))
    known = labelled[0].surface(labelled[0].entities[0])
    (tmp_path / "names.csv").write_text(f"{known},X\n", encoding="utf-8")
    listed = Gazetteer.from_file(tmp_path / "names.csv")
    scores = evaluate(model, labelled, tmp_path / "names.csv").scores
    assert scores.seen is not None
    assert scores.seen.gold > 0
    assert scores == evaluate(model, labelled, listed).scores


@pytest.mark.parametrize("targets", ["squared", "soft", "hard"])
@pytest.mark.parametrize("reweight", [0.0, 0.5, 1.0])
def test_targets_follow_the_equations(targets: str, reweight: float) -> None:
    settings = {"targets": targets, "reweight": reweight, "confidence": 0.75}
    config = parsed(BondConfig, settings)
    q = [
        np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2]], dtype=np.float32),
        np.array([[0.1, 0.1, 0.8]], dtype=np.float32),
    ]
    f = np.concatenate(q).sum(axis=0)
    found, weights = pseudo_labels(q, lambda rows: rows.sum(axis=0, keepdims=True), config)
    for rows, found_rows, kept in zip(q, found, weights, strict=True):
        expected = rows**2 / f**reweight if targets == "squared" else rows
        expected = expected / expected.sum(axis=1, keepdims=True)
        np.testing.assert_array_equal(kept, expected.max(axis=1) > 0.75)
        if targets == "hard":
            expected = np.eye(3)[rows.argmax(axis=1)]
        np.testing.assert_allclose(found_rows, expected, rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 4), st.sampled_from([0.5, 1.0]))
def test_what_readers_teach_each_other_does_not_depend_on_the_width_of_spans(
    seed: int, width: int, wider: int, power: float
) -> None:
    rng = np.random.default_rng(seed)
    types, config = 2, BondConfig(reweight=power)
    yes = rng.uniform(0.01, 0.99, (5, SPANS + width, types))
    yes[:, SPANS:][rng.random((5, width, types)) < 0.3] = np.exp(NEVER)
    wide = np.pad(yes, ((0, 0), (0, wider), (0, 0)), constant_values=np.exp(NEVER))
    grids = [np.stack([1 - y, y], axis=-1).astype(np.float32) for y in (yes, wide)]
    (targets,), (more,) = (
        pseudo_labels([grid.reshape(-1, 2)], spans_of(grid).frequency, config)[0] for grid in grids
    )
    targets, more = targets.reshape(grids[0].shape), more.reshape(grids[1].shape)
    np.testing.assert_allclose(more[:, : SPANS + width], targets, rtol=1e-6)
    spans = yes[:, SPANS:]
    asked = (spans > 2 * np.exp(NEVER)).sum(axis=(0, 1))
    f = spans.sum(axis=(0, 1), where=spans > 2 * np.exp(NEVER)) + 1e-12
    expected = spans**2 / f**power
    expected /= expected + (1 - spans) ** 2 / (asked - f + 2e-12) ** power
    np.testing.assert_allclose(targets[:, SPANS:, :, 1], expected, rtol=1e-4)


def spans_of(grid: Rows) -> SpanLayout:
    """The layout of a grid, without words."""
    layout = object.__new__(SpanLayout)
    layout.width, layout.labels = grid.shape[1] - SPANS, tuple("AB")
    return layout


def test_more_experts_than_groups(labelled: list[Document], run_config: MakeConfig) -> None:
    with pytest.raises(ConfigError, match="got 2 groups for 3 experts"):
        train(labelled[:2], config=run_config(experts=3))


def test_documents_without_words_do_no_harm(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    documents = [Document(""), *labelled, Document(" \n")]
    assert train(documents, config=run_config(experts=2)).card.documents == len(documents)


@pytest.mark.parametrize("start", ["clusters", "random"])
def test_documents_that_say_nothing_are_no_share_of_an_expert(
    labelled: list[Document], run_config: MakeConfig, start: str
) -> None:
    silent = [Document(""), Document("Rome", unknown=((0, 4),))] * len(labelled)
    recipe = believing([*labelled, *silent], run_config(experts=3, start=start))
    recipe.said = [beliefs(recipe, lambda _: True), *[beliefs(recipe, lambda _: False)] * 2]
    for step in (recipe.part, recipe.e_step):
        figures = step()
        assert recipe.assigned is not None
        told = recipe.assigned[: len(labelled)].tolist()
        assert [told.count(z) for z in range(3)] == figures["sizes"]
        assert min(told.count(z) for z in range(3)) >= len(labelled) // 6
    with pytest.raises(ConfigError, match="got 2 groups for 3 experts"):
        believing([*labelled[:2], *silent], run_config(experts=3))


def test_nothing_to_learn_from(run_config: MakeConfig) -> None:
    with pytest.raises(DataError, match="without a single entity"):
        train(["no names here"], config=run_config())
    with pytest.raises(DataError, match="got none: was an iterator of them read before"):
        train([], config=run_config())
    with pytest.raises(DataError, match="1 documents with no word"):
        train([Document(" ", (Entity(0, 1, "DRUG"),))], config=run_config())


def test_a_label_outside_the_declared_types(run_config: MakeConfig) -> None:
    config = override(run_config(), {"labels": ["LOC"]})
    document = Document("aspirin", (Entity(0, 7, "DRUG"),))
    with pytest.raises(DataError, match="unknown label 'DRUG'"):
        train([document, document], config=config)


@pytest.mark.parametrize("labels", [["A", "A"], [""], []])
def test_types_that_are_no_different_names(labels: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"labels: .*different names of types"):
        parse_config({"labels": labels})


def test_a_configuration_may_be_plain_data(
    labelled: list[Document], run_config: MakeConfig
) -> None:
    config = run_config(warmup_rounds=1, self_training=False)
    assert same(train(labelled, config=config.model_dump()), train(labelled, config=config))
    with pytest.raises(ConfigError, match="expert"):
        train(labelled, config={"bond": {"expert": 2}})


def test_settings_that_do_not_exist(run_config: MakeConfig) -> None:
    with pytest.raises(ConfigError, match=r"no setting 'bond\.expertz'"):
        override(run_config(), {"bond.expertz": 3})
    for path, near in (
        ("round_steps", "bond.round_steps"),
        ("bond.learning_rate", "generator.learning_rate or optimiser.learning_rate"),
        ("bond.expertz", "bond.experts"),
        ("dropout", "tagger.dropout or reader.dropout or generator.dropout"),
        ("zzz", "seed or bond.experts"),
    ):
        with pytest.raises(ConfigError, match=f"'{path}': expected one such as {near}$"):
            override(run_config(), {path: 1})
    for path in ("seed.x.y", "bond.tau.x", "nothing"):
        with pytest.raises(ConfigError, match="no setting"):
            override(run_config(), {path: 1})
    for path, value in (("bond.tau", -1), ("seed", -1), ("seed", 2**40)):
        with pytest.raises(ConfigError, match=path):
            override(run_config(), {path: value})
