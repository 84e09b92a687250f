"""A model inside spaCy's pipelines: every entity arrives, whatever spaCy's words are."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convener import Document, Entity, Recogniser
from convener.errors import DataError, ModelError
from convener.text.formats import read
from tests.program import ENVIRONMENT
from tests.test_formats import FAST, spans_in, texts

spacy = pytest.importorskip("spacy", reason="the extra spacy is not installed")

from convener.integrations.spacy import annotate  # noqa: E402


def test_a_pipeline_answers_as_the_model_does(model: Path, labelled: list[Document]) -> None:
    pipeline = spacy.blank("en")
    pipeline.add_pipe("convener", config={"model": str(model)})
    sentences = [document.text for document in labelled]
    expected = Recogniser.from_folder(model).predict(sentences)
    assert any(expected)
    for doc, entities in zip(pipeline.pipe(sentences, batch_size=7), expected, strict=True):
        assert doc._.convener == tuple(entities)
        assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == [
            (*entity.span, entity.label) for entity in entities
        ]
        assert [e._.convener_score for e in doc.ents] == [entity.score for entity in entities]
    assert pipeline(sentences[0])._.convener == tuple(expected[0])


def test_a_pipeline_is_saved_with_its_model(model: Path, tmp_path: Path) -> None:
    first = spacy.blank("en")
    first.add_pipe("convener", config={"model": str(model)})
    text = "We gave aspirin in Rome today ."
    expected = first(text)._.convener
    first.to_disk(tmp_path / "pipeline")
    elsewhere = first.config.copy()
    elsewhere["components"]["convener"]["model"] = "no/longer/there"
    first.config = elsewhere
    second = spacy.load(tmp_path / "pipeline")
    assert second(text)._.convener == expected
    third = spacy.blank("en")
    third.add_pipe("convener", config={"model": "no/longer/there"})
    third.from_bytes(second.to_bytes())
    assert third(text)._.convener == expected


def test_listed_names_are_found_too_and_read_again_from_their_path(
    model: Path, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("sea fever\n")
    first = spacy.blank("en")
    listed = {"dictionary": str(names), "label": "DISEASE"}
    first.add_pipe("convener", config={"model": str(model)} | listed)
    text = "We gave aspirin for sea fever in Rome today ."
    found = first(text)
    assert [e.label_ for e in found.ents if e.text == "sea fever"] == ["DISEASE"]
    assert {e.label for e in found._.convener} == {"DRUG", "LOC", "DISEASE"}
    first.to_disk(tmp_path / "pipeline")
    second = spacy.load(tmp_path / "pipeline")
    assert second(text)._.convener == found._.convener
    names.unlink()
    with pytest.raises(DataError, match=r"names\.txt"):
        spacy.load(tmp_path / "pipeline")


def test_spacy_finds_the_component_by_itself() -> None:
    program = (
        "import spacy; pipeline = spacy.blank('de');"
        "pipeline.add_pipe('convener', config={'model': 'm'}); print(pipeline.pipe_names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert done.stdout.strip() == "['convener']"


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    pipeline = spacy.blank("en")
    pipeline.add_pipe("convener", config={"model": str(tmp_path / "none")})
    with pytest.raises(ModelError, match="no model folder"):
        pipeline("text")


@st.composite
def found(draw: st.DrawFn) -> tuple[str, list[Entity]]:
    text = draw(texts)
    return text, [
        Entity(start, end, "X", draw(st.floats(0, 1)), draw(st.sampled_from([None, "Q1"])), "s")
        for start, end in draw(spans_in(len(text)))
    ]


ENGLISH = spacy.blank("en")


@FAST
@given(answer=found())
def test_no_entity_is_lost_on_the_words_of_spacy(answer: tuple[str, list[Entity]]) -> None:
    text, entities = answer
    doc = ENGLISH(text)
    annotate(doc, entities)
    again = spacy.tokens.Doc(doc.vocab).from_bytes(doc.to_bytes())
    assert doc._.convener == again._.convener == tuple(entities)
    for span, entity in zip(again.spans["convener"], entities, strict=True):
        covered = range(span.start_char, span.end_char + len(span[-1].whitespace_))
        assert set(range(*entity.span)) <= set(covered)
        assert (span.label_, span.kb_id_) == (entity.label, entity.id or "")
        inner = again[span.start + 1 : span.end - 1]
        assert len(span) <= 2 or entity.start < inner.start_char <= inner.end_char < entity.end
    for left, right in itertools.pairwise(doc.ents):
        assert left.end <= right.start
    if entities:
        longest = max(len(span) for span in doc.spans["convener"])
        assert max(len(span) for span in doc.ents) == longest


def test_scores_outlive_words_that_are_merged() -> None:
    doc = spacy.blank("en")("Ada King went to New York City with Bo .")
    annotate(doc, [Entity(0, 8, "PER", 0.5), Entity(17, 30, "LOC", 0.25), Entity(36, 38, "PER", 1)])
    with doc.retokenize() as words:
        for entity in doc.ents:
            words.merge(entity)
    assert [(e.text, e._.convener_score) for e in doc.ents] == [
        ("Ada King", 0.5),
        ("New York City", 0.25),
        ("Bo", 1),
    ]
    assert doc[1:2]._.convener_score is None


def test_entities_set_before_stay(tmp_path: Path) -> None:
    pipeline = spacy.blank("en")
    doc = pipeline("Ada King went to New York City.")
    doc.set_ents([doc.char_span(0, 8, label="RULE")])
    cut = Entity(26, 28, "PART", 0.25)
    annotate(doc, [Entity(4, 8, "PER"), Entity(17, 30, "LOC", 0.5), Entity(17, 25, "LOC"), cut])
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("Ada King", "RULE"),
        ("New York City", "LOC"),
    ]
    assert [s.text for s in doc.spans["convener"]] == ["King", "New York City", "New York", "City"]
    assert doc._.convener[-1] == cut
    assert doc.spans["convener"][-1]._.convener_score == 0.25
    spacy.tokens.DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "set.spacy")
    (back,) = read(tmp_path / "set.spacy")
    assert cut in back.entities
    assert {(back.surface(e), e.label) for e in back.entities} >= {("Ada King", "RULE")}
