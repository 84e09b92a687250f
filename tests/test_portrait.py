"""The page about a run of training: what experts are for, and which labels were overruled."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from convener import load, train
from convener.evaluation.training import Doubts, training_page
from convener.models.tagger import Tagger
from convener.panel.panel import Panel
from convener.recipes.portrait import overruled, page, portraits
from convener.recipes.run import RunConfig, train_panel
from convener.text.documents import Document, Entity


def test_a_portrait_names_what_an_expert_has_more_of(tagger: Callable[[int], Tagger]) -> None:
    drugs = [Document("she took aspirin again", (Entity(9, 16, "DRUG"),))] * 4
    places = [Document("they live in Rome still", (Entity(13, 17, "LOC"),))] * 2
    panel = Panel([tagger(0), tagger(0)])
    first, second = portraits(panel, [*drugs, *places], [0, 0, 0, 0, 1, 1])
    assert (first.groups, second.groups) == (4, 2)
    assert first.share == pytest.approx(2 / 3)
    assert (first.types, second.types) == (["DRUG"], ["LOC"])
    assert (first.names, second.names) == (["aspirin"], ["Rome"])
    assert set(first.words) == {"she", "took", "aspirin", "again"}
    assert set(second.words) == {"they", "live", "rome", "still"}


def test_experts_that_are_alike_agree_and_others_less(tagger: Callable[[int], Tagger]) -> None:
    documents = [Document("We gave aspirin in Rome today .")] * 2
    alike = portraits(Panel([tagger(0), tagger(0)]), documents, [0, 1])
    assert {portrait.agreement for portrait in alike} <= {0.0, 1.0}
    one, other = portraits(Panel([tagger(0), tagger(1)]), documents, [0, 1])
    assert one.agreement == other.agreement <= alike[0].agreement


def test_labels_are_overruled_by_other_entities_surest_first() -> None:
    text = "New York and Rome and Oslo"
    labelled = Document(text, (Entity(0, 3, "PER"), Entity(13, 17, "LOC"), Entity(22, 26, "PER")))
    answers = (Entity(0, 8, "LOC", 0.7), Entity(13, 17, "LOC", 0.9), Entity(22, 26, "LOC", 0.8))
    found = overruled([labelled], [replace(labelled, entities=answers)])
    assert [(o.label, o.found, o.score) for o in found] == [
        ("Oslo (PER)", "Oslo (LOC)", 0.8),
        ("New (PER)", "New York (LOC)", 0.7),
    ]
    assert found[1].example == ("", "New", " York and Rome and Oslo")
    assert overruled([labelled], [replace(labelled, entities=())]) == []


@pytest.mark.parametrize("experts", [1, 2])
def test_the_page_tells_a_run(
    labelled: list[Document], run_config: Callable[..., RunConfig], experts: int
) -> None:
    trained = train_panel(labelled, run_config(experts=experts), labelled[:12])
    dev = labelled[:12]
    written = page(trained, labelled, dev, trained.panel.annotate(dev))
    assert "Best of" in written
    assert "self-training" in written
    assert "Types on dev" in written
    assert ("What each expert is for" in written) == (len(trained.panel.experts) > 1)
    assert len(trained.assigned) == (len(labelled) if experts > 1 else 0)
    assert "<script" not in written


def test_a_model_is_saved_with_the_page_about_its_training(
    labelled: list[Document], run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    train(labelled, config=run_config()).save_pretrained(tmp_path / "model")
    written = (tmp_path / "model" / "training.html").read_text(encoding="utf-8")
    assert "What each expert is for" in written
    (tmp_path / "model" / "training.html").unlink()
    load(tmp_path / "model").save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again" / "training.html").exists()


def test_the_page_tells_which_labels_were_not_taken_at_their_word() -> None:
    left_out = {("His", "BAND", "common"): 3, ("Duff", "PER", "part"): 5}
    either, believed = {("Lisbon", "PERSON", "CITY"): 4}, {("Chicago", "ORG", "LOC"): 9}
    told = training_page([], {}, [], [], Doubts(left_out, either, believed))
    cells = [re.sub(r"<[^>]+>", " ", row) for row in re.findall("<tr>.*?</tr>", told, re.DOTALL)]
    rows = [" ".join(cell.split()) for cell in cells]
    assert "Lisbon PERSON CITY either 4" in rows
    assert "Chicago ORG LOC what it is labelled 9" in rows
    assert rows.index("Duff PER part of a longer name 5") < rows.index("His BAND a common word 3")


def test_what_users_wrote_is_escaped() -> None:
    hostile = Document("<b>aspirin</b>", (Entity(0, 14, "<i>"),), tokens=((0, 14),))
    answer = replace(hostile, entities=(Entity(0, 14, "DRUG", 0.9),))
    written = training_page([], {}, [], overruled([hostile], [answer]), Doubts())
    assert "&lt;b&gt;aspirin&lt;/b&gt; (&lt;i&gt;)" in written
    assert "<b>" not in written
    assert "0 rounds by a fixed schedule" in written
