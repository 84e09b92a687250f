"""A library of LoRA experts: trained, kept, selected, merged, integrated."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from convener import load
from convener.errors import ConfigError, ConvenerError, DataError, ModelError
from convener.evaluation.scores import score
from convener.experts import Adaptation, adapt_library, train_expert
from convener.inference.memory import Memory
from convener.inference.shelf import OF_EXPERTS, Library
from convener.models.adapter import apply, dense, flat
from convener.models.lora import LoraSettings
from convener.models.reader_config import ReaderConfig
from convener.panel.merging import MergeConfig, merge
from convener.panel.panel import log_beliefs
from convener.recipes.adapt import AdaptConfig, Answer
from convener.recipes.run_config import RunConfig, override, parse_config
from convener.recipes.settings import parsed
from convener.text.documents import Document, Entity
from tests.test_bond import Stop

QUESTIONS = {"DRUG": "gave ?", "LOC": "In ?"}


@pytest.fixture(scope="module")
def config(tiny_encoder: Path) -> Callable[..., RunConfig]:
    """Plain training of a tiny reader in seconds."""

    def make(**questions: str) -> RunConfig:
        return parse_config(
            {
                "model": "reader",
                "abstain": "never",
                "reader": {
                    "encoder": str(tiny_encoder),
                    "questions": questions or QUESTIONS,
                    "train_embeddings": True,
                    "dropout": 0.0,
                },
                "optimiser": {"learning_rate": 1e-2, "head_learning_rate": 1e-2},
                "bond": {
                    "experts": 1,
                    "self_training": False,
                    "round_steps": 30,
                    "warmup_rounds": 4,
                    "expert_rounds": 1,
                },
            }
        )

    return make


@pytest.fixture(scope="module")
def library(
    tmp_path_factory: pytest.TempPathFactory,
    labelled: list[Document],
    config: Callable[..., RunConfig],
) -> Path:
    """Three experts: one of drugs and places, one of places alone, one of half the sentences."""
    folder = tmp_path_factory.mktemp("experts") / "library"
    lora = LoraSettings(rank=8, alpha=16, dropout=0.0)
    places = [Document(d.text, tuple(e for e in d.entities if e.label == "LOC")) for d in labelled]
    train_expert(labelled, "clinic", folder, config=config(), lora=lora, licence="CC0")
    train_expert(places, "places", folder, config=config(LOC="In ?"), lora=lora)
    train_expert(labelled[::2], "half", folder, config=config(), lora=lora)
    return folder


def test_an_expert_alone_is_what_was_trained(library: Path, labelled: list[Document]) -> None:
    made = adapt_library(
        library, labelled, QUESTIONS, config=AdaptConfig(select="similarity", experts=1)
    )
    assert made.adapted.chosen == {"similarity": ("clinic",)}
    assert score(labelled, list(made.model.annotate(labelled))).exact.f1 > 0.9


def test_merged_experts_know_the_domain_and_are_saved_like_any_model(
    library: Path, labelled: list[Document], tmp_path: Path
) -> None:
    config = parsed(AdaptConfig, {"experts": 2, "merge": {"method": "linear"}})
    made = adapt_library(library, labelled, QUESTIONS, config=config)
    found = list(made.model.annotate(labelled))
    assert score(labelled, found).exact.f1 > 0.3
    made.model.save_pretrained(tmp_path / "model")
    again = load(tmp_path / "model")
    assert list(again.annotate(labelled)) == found
    assert again.panel.rule == made.model.panel.rule


def test_each_ranking_weighs_a_merge_by_its_own_scores(
    library: Path, labelled: list[Document]
) -> None:
    """Both choose all three experts, but a mean weighed by likeness is not that by performance."""

    def made(select: str, weights: str) -> Adaptation:
        settings = {"select": select, "weights": weights, "merge": {"method": "linear"}}
        return adapt_library(
            library, labelled, QUESTIONS, config=parsed(AdaptConfig, settings), gold=labelled[:5]
        )

    assert len(made("both", "uniform").adapted.panel.experts) == 1
    both = made("both", "scores").adapted
    assert {frozenset(names) for names in both.chosen.values()} == {
        frozenset({"clinic", "half", "places"})
    }
    alone = [made(kind, "scores").adapted for kind in ("similarity", "performance")]
    merged = [adapted.panel.experts[0] for adapted in alone]
    for expert, own in zip(both.panel.experts, merged, strict=True):
        for mine, its in zip(expert.state_dict().values(), own.state_dict().values(), strict=True):
            assert torch.equal(mine, its)
    pairs = zip(*(expert.state_dict().values() for expert in merged), strict=True)
    assert not all(torch.equal(*pair) for pair in pairs)


def test_of_experts_that_perform_alike_the_more_similar_is_merged(
    library: Path, labelled: list[Document]
) -> None:
    silent = {"CITY": "zzz ?"}
    gold = [Document(labelled[0].text, (Entity(0, 1, "CITY"),))]
    config = AdaptConfig(experts=1)
    made = adapt_library(library, labelled, silent, config=config, gold=gold).adapted
    assert {ranked.score for ranked in made.rankings["performance"]} == {0.0}
    order = [[ranked.name for ranked in ranking] for ranking in made.rankings.values()]
    assert order[0] == order[1]


def test_the_same_seed_gives_the_same_choice_and_model(
    library: Path, labelled: list[Document]
) -> None:
    first, second = (adapt_library(library, labelled, QUESTIONS) for _ in range(2))
    assert first.adapted.rankings == second.adapted.rankings
    assert list(first.model.annotate(labelled)) == list(second.model.annotate(labelled))


def test_answers_are_remembered_and_an_added_expert_costs_its_own(
    library: Path, labelled: list[Document], config: Callable[..., RunConfig]
) -> None:
    adapt_library(library, labelled, QUESTIONS)
    kept = {path: path.stat().st_mtime_ns for path in (library / ".answers").iterdir()}
    train_expert(labelled[:9], "late", library, config=config(), lora=LoraSettings(rank=4))
    adapt_library(library, labelled, QUESTIONS)
    now = {path: path.stat().st_mtime_ns for path in (library / ".answers").iterdir()}
    assert kept.items() <= now.items()
    assert len(now) == len(kept) + 1
    Library.open(library).remove("late")


def test_only_those_who_were_not_asked_before_are_asked(library: Path) -> None:
    memory = Memory(Library.open(library))
    calls: list[list[str]] = []

    def answer(names: Sequence[str]) -> Iterator[tuple[str, list[Document]]]:
        calls.append(list(names))
        for name in names:
            if name == "places" and len(calls) == 1:
                raise KeyboardInterrupt
            yield name, [Document(f"{name} was asked {len(calls)}")]

    with pytest.raises(KeyboardInterrupt):
        memory.answers("a sample", ["half", "places", "clinic"], answer)
    found = memory.answers("a sample", ["places", "half"], answer)
    assert found == memory.answers("a sample", ["places", "half"], answer)
    assert {name: said[0].text for name, said in found.items()} == {
        "places": "places was asked 2",
        "half": "half was asked 1",
    }
    memory.answers("another", ["half"], answer)
    assert calls == [["half", "places", "clinic"], ["places"], [], ["half"]]


@pytest.mark.parametrize(("vote", "base"), [("beyond-base", True), ("majority", False)])
def test_only_a_vote_beyond_the_base_asks_the_base(
    library: Path, labelled: list[Document], monkeypatch: pytest.MonkeyPatch, vote: str, base: bool
) -> None:
    asked: list[str] = []
    remembered = Memory.answers

    def watched(self: Memory, key: str, names: Sequence[str], answer: Answer) -> object:
        asked.extend(names)
        return remembered(self, key, names, answer)

    monkeypatch.setattr(Memory, "answers", watched)
    adapt_library(library, labelled, QUESTIONS, config=parsed(AdaptConfig, {"vote": vote}))
    assert ("" in asked) == base
    assert {"clinic", "half", "places"} <= set(asked)


def test_the_base_is_whole_and_the_same_for_every_expert(library: Path) -> None:
    shelf = Library.open(library)
    assert shelf.names == ["clinic", "half", "places"]
    assert shelf.check() == {}
    assert len({card.base for card in shelf.cards().values()}) == 1
    first, second = (shelf.reader(QUESTIONS, ReaderConfig(width=3, nested=False)) for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_low_rank_expert_is_a_fraction_of_its_base(library: Path) -> None:
    shelf = Library.open(library)
    changed = shelf.adapter("places")
    assert any(name.endswith("query") for name in changed)
    assert any(name.startswith("heads.") for name in changed)


def test_an_expert_of_another_base_is_refused(
    library: Path, labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    other = config().model_copy(update={"seed": 7})
    train_expert(labelled, "alien", tmp_path / "other", config=other, lora=LoraSettings(rank=4))
    with pytest.raises(ModelError, match="another base"):
        Library.open(library).add(tmp_path / "other" / "alien")
    with pytest.raises(ModelError, match="no library"):
        Library.open(tmp_path / "nowhere")


def test_experts_that_cannot_be_used_are_named(library: Path, tmp_path: Path) -> None:
    copy = tmp_path / "library"
    shutil.copytree(library, copy)
    shelf = Library.open(copy)
    card, (name, change) = shelf.card("half"), next(iter(shelf.adapter("half").items()))
    shelf.put(card.model_copy(update={"name": "strange"}), {"encoder.nothing": dense(change)})
    shelf.put(card.model_copy(update={"name": "broken"}), {name: dense(change) * float("nan")})
    wrong = shelf.check()
    assert set(wrong) == {"strange", "broken"}
    assert "got 'encoder.nothing'" in wrong["strange"]
    assert "got NaN or infinity: train the expert again" in wrong["broken"]


def test_a_damaged_expert_is_named(library: Path, labelled: list[Document], tmp_path: Path) -> None:
    copy = tmp_path / "library"
    shutil.copytree(library, copy)
    adapter = copy / "half" / "adapter.safetensors"
    adapter.write_bytes(adapter.read_bytes()[:100])
    assert "half" in Library.open(copy).check()
    with pytest.raises(ModelError, match="half"):
        adapt_library(copy, labelled, QUESTIONS)
    card = copy / "places" / "card.json"
    card.write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="places"):
        Library.open(copy).cards()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_sentences(count: int, library: Path, labelled: list[Document]) -> None:
    if count == 0:
        with pytest.raises(DataError, match="expected sentences"):
            adapt_library(library, [], QUESTIONS)
    else:
        made = adapt_library(library, labelled[:count], QUESTIONS)
        assert len(made.sample) == count


def test_what_cannot_be_chosen_from_is_refused(
    library: Path, labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    Library.create(empty, config().reader, 0)
    for wrong in ([], {"A": ""}, {"A": "x ?", "B": "x ?"}):
        with pytest.raises(ConvenerError) as error:
            adapt_library(library, labelled, wrong)
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="empty library"):
        adapt_library(empty, labelled, QUESTIONS)
    with pytest.raises(DataError, match="gold labels in the dev set"):
        train_expert(labelled, "new", tmp_path / "new", dev=["Rome"], config=config())
    alike = config(DRUG="gave ?", LOC="gave ?")
    with pytest.raises(ConfigError, match="a different question"):
        train_expert(labelled, "new", tmp_path / "new", config=alike)
    panel = override(config(), {"bond.experts": 3})
    with pytest.raises(ConfigError, match="a panel of 3"):
        train_expert(labelled, "new", tmp_path / "new", config=panel)
    assert not (tmp_path / "new").exists()
    for sample in ([], [labelled[0].text], [Document("Rome", (Entity(0, 4, "CITY"),))]):
        with pytest.raises(DataError, match="in the labelled sample, got"):
            adapt_library(library, labelled, QUESTIONS, gold=sample)


def test_one_expert_serves_by_similarity_alone(
    labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    folder = tmp_path / "single"
    train_expert(labelled[:6], "only", folder, config=config(), lora=LoraSettings(rank=4))
    made = adapt_library(folder, labelled, QUESTIONS)
    assert list(made.adapted.rankings) == ["similarity"]
    gold = adapt_library(folder, labelled, QUESTIONS, gold=labelled[:5])
    assert list(gold.adapted.rankings) == ["similarity", "performance"]


@pytest.mark.parametrize("name", ["my expert", "library.json", ".hidden", ""])
def test_a_name_is_judged_before_anything_is_done(
    name: str, labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="expected a name"):
        train_expert(labelled, name, tmp_path / "new", config=config())
    assert not (tmp_path / "new").exists()


def test_settings_that_are_not_the_librarys_are_refused(
    library: Path, labelled: list[Document], config: Callable[..., RunConfig]
) -> None:
    for changes in ({"reader.encoder": "elsewhere"}, {"reader.attention": "none"}):
        (setting,) = changes
        with pytest.raises(ConfigError, match=f"have {setting}="):
            train_expert(labelled, "other", library, config=override(config(), changes))
    shelf = Library.open(library)
    assert shelf.config.reader is not None
    own = shelf.config.reader.model_dump(mode="json", exclude={"questions", *OF_EXPERTS})
    assert own.items() <= shelf.card("clinic").run["reader"].items()  # type: ignore[attr-defined]


def test_a_refused_expert_leaves_no_library(
    labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    hot = override(config(), {"optimiser.learning_rate": 1e30, "optimiser.warmup": 0})
    with pytest.raises(ConfigError, match="the loss became"):
        train_expert(labelled, "hot", tmp_path / "new", config=hot)
    assert not (tmp_path / "new").exists()


def test_spans_and_weights_of_types_are_an_experts_own(
    labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    short = override(config(), {"bond.round_steps": 2, "bond.warmup_rounds": 1})
    wanted = {
        "plain": {},
        "balanced": {"reader.balance": 1.0},
        "wide": {"reader.width": 7, "reader.nested": True},
    }
    for name, changes in wanted.items():
        train_expert(labelled[:9], name, tmp_path / "lib", config=override(short, changes))
    shelf = Library.open(tmp_path / "lib")
    spans = {name: (card.width, card.nested) for name, card in shelf.cards().items()}
    assert spans == {"plain": (1, False), "balanced": (1, False), "wide": (7, True)}
    plain, weighed = (flat(shelf.adapter(name)) for name in ("plain", "balanced"))
    assert any(not torch.equal(plain[name], weighed[name]) for name in plain)


def test_what_is_damaged_or_half_written_can_be_told_and_removed(
    library: Path, tmp_path: Path
) -> None:
    copied = Library.open(shutil.copytree(library, tmp_path / "library"))
    names = copied.names
    shutil.copytree(copied.folder / "half", copied.folder / ".half.partial-1")
    assert copied.names == names
    (copied.folder / "half" / "card.json").write_text("{")
    copied.remove("half")
    assert copied.names == [name for name in names if name != "half"]
    assert copied.cards().keys() == set(copied.names)
    with pytest.raises(ModelError, match="no expert 'half'"):
        copied.remove("half")


def test_an_empty_folder_may_become_a_library(
    labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    short = override(config(), {"bond.round_steps": 1, "bond.warmup_rounds": 1})
    train_expert(labelled, "first", tmp_path / "empty", config=short)
    assert Library.open(tmp_path / "empty").names == ["first"]
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="no library at"):
        train_expert(labelled, "first", tmp_path / "file", config=short)


def test_an_expert_of_other_lora_is_not_taken_up(
    labelled: list[Document], config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    given = {"config": config(), "checkpoint": tmp_path / "checkpoint"}
    library = tmp_path / "library"
    with pytest.raises(KeyboardInterrupt):
        train_expert(labelled, "one", library, lora=LoraSettings(), listener=Stop(40), **given)
    with pytest.raises(ConfigError, match=r"of lora\.alpha 32\.0 in the place of 8\.0"):
        train_expert(labelled, "one", library, lora=LoraSettings(alpha=8), resume=True, **given)


def test_the_card_of_an_expert_says_what_it_is(library: Path) -> None:
    card = Library.open(library).card("clinic")
    assert card.types == QUESTIONS
    assert card.licence == "CC0"
    assert card.sentences == card.documents == 30
    assert 0 < card.spread < 1
    assert json.loads(card.model_dump_json())["run"]["model"] == "reader"


def test_merging_two_copies_is_the_identity(library: Path, labelled: list[Document]) -> None:
    shelf = Library.open(library)
    one, two = (shelf.reader(QUESTIONS, ReaderConfig(width=2, nested=False)) for _ in range(2))
    change = shelf.adapter("clinic")
    apply(one, change)
    apply(
        two,
        merge([change, change], [1.0, 3.0], MergeConfig(method="cat")),
    )
    examples = one.examples(labelled)
    for a, b in zip(
        log_beliefs(one, examples, len(labelled)),
        log_beliefs(two, examples, len(labelled)),
        strict=True,
    ):
        torch.testing.assert_close(torch.tensor(a), torch.tensor(b), rtol=1e-4, atol=1e-4)
