"""The page about a run of training: what experts are for, and which labels were overruled."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from convener import load, train
from convener.evaluation.training import Doubts, Verdict, training_page
from convener.recipes.portrait import page, portraits, verdict
from convener.recipes.run import train_panel
from convener.recipes.run_config import RunConfig
from convener.text.documents import Document, Entity


def test_a_portrait_names_what_an_expert_has_more_of() -> None:
    drugs = [Document("she took aspirin again", (Entity(9, 16, "DRUG"),))] * 4
    places = [Document("they live in Rome still", (Entity(13, 17, "LOC"),))] * 2
    documents = [*drugs, *places]
    first, second = portraits(documents, [0, 0, 0, 0, 1, 1], [documents, documents])
    assert (first.groups, second.groups) == (4, 2)
    assert first.share == pytest.approx(2 / 3)
    assert (first.types, second.types) == (["DRUG"], ["LOC"])
    assert (first.names, second.names) == (["aspirin"], ["Rome"])
    assert set(first.words) == {"she", "took", "aspirin", "again"}
    assert set(second.words) == {"they", "live", "rome", "still"}


def test_groups_that_went_to_no_expert_are_in_no_portrait() -> None:
    drug = Document("she took aspirin again", (Entity(9, 16, "DRUG"),))
    documents = [drug, drug, *[Document("nothing at all")] * 5]
    first, second = portraits(documents, [0, 1, *[-1] * 5], [documents, documents])
    assert (first.groups, second.groups) == (1, 1)
    assert first.share == second.share == 0.5
    assert "nothing" not in {*first.words, *second.words}


def test_silent_groups_are_assigned_to_none(
    labelled: list[Document], run_config: Callable[..., RunConfig]
) -> None:
    telling = [document for document in labelled if document.entities][:8]
    silent = [Document("She walks home", unknown=((0, 14),))] * 3
    trained = train_panel([*telling, *silent], run_config(self_training=False))
    assert trained.assigned[8:] == (-1,) * 3
    sizes = Counter(trained.assigned[:8])
    assert [sizes[0], sizes[1]] == trained.history[-1]["sizes"]


def test_experts_agree_as_far_as_their_answers_do() -> None:
    both = Document("Rome and Oslo", (Entity(0, 4, "LOC"), Entity(9, 13, "LOC")))
    one = replace(both, entities=both.entities[:1])
    documents = [both, both]
    alike, mixed, apart = ([both, both], [both, one], [replace(both, entities=())] * 2)
    assert [p.agreement for p in portraits(documents, [0, 1], [alike, alike])] == [1.0, 1.0]
    first, second, third = portraits(documents, [0, 1], [alike, mixed, apart])
    assert first.agreement == second.agreement == pytest.approx(6 / 7 / 2)
    assert third.agreement == 0.0


def test_labels_are_overruled_by_other_entities_surest_first() -> None:
    text = "New York and Rome and Oslo"
    labelled = Document(text, (Entity(0, 3, "PER"), Entity(13, 17, "LOC"), Entity(22, 26, "PER")))
    answers = (Entity(0, 8, "LOC", 0.7), Entity(13, 17, "LOC", 0.9), Entity(22, 26, "LOC", 0.8))
    said = verdict([labelled], [replace(labelled, entities=answers)])
    assert (said.labels, said.dropped) == (3, {})
    assert [(o.label, o.found, o.score) for o in said.overruled] == [
        ("Oslo (PER)", "Oslo (LOC)", 0.8),
        ("New (PER)", "New York (LOC)", 0.7),
    ]
    assert said.overruled[1].example == ("", "New", " York and Rome and Oslo")


def test_labels_are_dropped_where_no_entity_is_found() -> None:
    labelled = Document("His and His", (Entity(0, 3, "BAND"), Entity(8, 11, "BAND")))
    said = verdict([labelled], [replace(labelled, entities=())])
    assert (said.overruled, said.dropped) == ([], {("His", "BAND"): 2})
    told = training_page([], {}, {}, [], said, Doubts())
    assert "Of the same labels, 2 are no entity" in told
    assert "His BAND 2" in rows(told)


def test_the_state_that_was_kept_is_told() -> None:
    def told(*f1s: float) -> str:
        history = [{"stage": "warm-up", "round": r, "dev_f1": f1} for r, f1 in enumerate(f1s, 1)]
        return training_page(history, {}, {}, [], Verdict(), Doubts())

    assert "Best of 3 rounds: warm-up 2, dev F1 50.00." in told(40.0, 50.0, 50.0)
    assert "Best of 3 rounds: warm-up 3, dev F1 0.00." in told(0.0, 0.0, 0.0)


def rows(page: str) -> list[str]:
    """The text of every row of every table."""
    found = [re.sub(r"<[^>]+>", " ", row) for row in re.findall("<tr>.*?</tr>", page, re.DOTALL)]
    return [" ".join(cells.split()) for cells in found]


@pytest.mark.parametrize("experts", [1, 2])
def test_the_page_tells_a_run(
    labelled: list[Document], run_config: Callable[..., RunConfig], experts: int
) -> None:
    trained = train_panel(labelled, run_config(experts=experts), labelled[:12])
    dev = labelled[:12]
    written = page(trained, labelled, dev, trained.panel.annotate(dev))
    assert "Best of" in written
    assert ("What each expert is for" in written) == (len(trained.panel.experts) > 1)
    assert len(trained.assigned) == (len(labelled) if experts > 1 else 0)
    assert "<script" not in written
    charts = re.findall("<svg.*?<title>(.*?)</title>", written, re.DOTALL)
    assert charts == ["F1 on dev, %", "Loss", "Groups of each expert"][: 2 + (experts > 1)]
    told = rows(written)
    for record in trained.history:
        cells = f"{record['stage']} {record['round']} {record['loss']} {record['dev_f1']}"
        (line,) = [row for row in told if row.startswith(cells)]
        assert " / ".join(map(str, record.get("sizes") or ())) in line
        for name in ("moved", "agreement", "kept", "changed", "seconds"):
            assert str(record.get(name) or "") in line
    counts = Counter(e.label for d in labelled for e in d.entities)
    for label, count in counts.items():
        (line,) = [row for row in told if row.startswith(f"{label} {count} ")]
        assert line.endswith(str(sum(e.label == label for d in dev for e in d.entities)))


def test_a_model_is_saved_with_the_page_about_its_training(
    labelled: list[Document], run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    train(labelled, config=run_config()).save_pretrained(tmp_path / "model")
    written = (tmp_path / "model" / "training.html").read_text(encoding="utf-8")
    assert "What each expert is for" in written
    (tmp_path / "model" / "training.html").write_bytes(b"\xe9")
    load(tmp_path / "model")
    (tmp_path / "model" / "training.html").unlink()
    load(tmp_path / "model").save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again" / "training.html").exists()


def test_the_page_tells_which_labels_were_not_taken_at_their_word() -> None:
    left_out = {("His", "BAND", "common"): 3, ("Duff", "PER", "part"): 5}
    either, believed = {("Lisbon", "PERSON", "CITY"): 4}, {("Chicago", "ORG", "LOC"): 9}
    told = training_page([], {}, {}, [], Verdict(), Doubts(left_out, either, believed))
    assert "Lisbon PERSON CITY either 4" in rows(told)
    assert "Chicago ORG LOC what it is labelled 9" in rows(told)
    lines = rows(told)
    assert lines.index("Duff PER part of a longer name 5") < lines.index("His BAND a common word 3")


def test_what_users_wrote_is_escaped() -> None:
    hostile = Document("<b>aspirin</b>", (Entity(0, 14, "<i>"),), tokens=((0, 14),))
    answer = replace(hostile, entities=(Entity(0, 14, "DRUG", 0.9),))
    written = training_page([], {"<u>": 1}, {}, [], verdict([hostile], [answer]), Doubts())
    assert "&lt;b&gt;aspirin&lt;/b&gt; (&lt;i&gt;)" in written
    assert "<b>" not in written
    assert "<u>" not in written
    assert "0 rounds by a fixed schedule" in written
