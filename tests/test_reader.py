"""What a reader promises: BERT-MRC's scores and loss; types and neighbours do not interfere."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from convener.errors import ConfigError, ConvenerError, DataError
from convener.models.asking import _runs
from convener.models.expert import Batch
from convener.models.layout import Rows
from convener.models.reader import Reader
from convener.models.span_heads import Pairs, SpanHeads
from convener.models.spans import END, NEVER, SPANS, START
from convener.panel.panel import Panel, log_beliefs
from convener.text.documents import Document, Entity, WordIndex
from convener.training.corpus import gather
from convener.training.losses import allowed_loss

MakeReader = Callable[..., Reader]
Grid = NDArray[np.float32]

QUIET = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LABELS = ("FAC", "LOC", "DRUG")
TEXTS = (
    "Rome .",
    "The clinic of New York gave aspirin in Oslo today .",
    "Tea , then codeine",
    "She walks home , sleeps , and helped Doctors in Cairo like tea not insulin .",
)

both_scopes = pytest.mark.parametrize("scope", ["types", "positions"])


def stirred(reader: Reader, seed: int = 1) -> Reader:
    """The reader with noise in all its weights and biases that make it believe half of all."""
    generator = torch.Generator().manual_seed(seed)
    heads = reader.heads
    with torch.no_grad():
        for parameter in reader.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
        for vectors in (heads.starts, heads.ends, heads.spans):
            vectors.copy_(0.4 * torch.randn(vectors.shape, generator=generator))
        logits = np.concatenate(grids(credulous(reader), TEXTS))
        logits -= np.log(-np.expm1(logits))
        kinds = (logits[:, :1], logits[:, 1:2], logits[:, 2:])
        for bias, kind in zip(biases(reader), kinds, strict=True):
            seen = [values[values > -11] for values in np.moveaxis(kind, 2, 0)]
            alike = seen if heads.types > 1 else [np.concatenate(seen)]
            bias -= torch.tensor([float(np.median(values)) for values in alike])
    return reader


def biases(reader: Reader) -> tuple[Tensor, Tensor, Tensor]:
    return reader.heads.start_bias, reader.heads.end_bias, reader.heads.span_bias


def credulous(reader: Reader) -> Reader:
    """A reader that takes every span for an entity of every type."""
    with torch.no_grad():
        for bias in biases(reader):
            bias.fill_(9.0)
    return reader.eval()


def grids(reader: Reader, texts: Sequence[str]) -> list[Grid]:
    """Log-probabilities of yes, [words, 2 + widths, types] of each text, read in one batch."""
    rows = log_beliefs(reader, reader.examples([Document(t) for t in texts]), len(texts))
    return [as_grid(reader, r[:, 1]) for r in rows]


def as_grid(reader: Reader, rows: Rows) -> Grid:
    return rows.reshape(-1, SPANS + reader.width, len(reader.labels))


def nontrivial(beliefs: Sequence[Grid]) -> bool:
    """Whether starts, ends and spans are now believed and now not."""
    kinds = [
        np.concatenate([part.ravel() for part in parts])
        for parts in (
            [g[:, START] for g in beliefs],
            [g[:, END] for g in beliefs],
            [g[:, SPANS:][g[:, SPANS:] > -11] for g in beliefs],
        )
    ]
    return all(0.05 < (kind > np.log(0.5)).mean() < 0.95 for kind in kinds)


def entity(text: str, surface: str, label: str) -> Entity:
    start = text.index(surface)
    return Entity(start, start + len(surface), label)


CLINIC = "The clinic of New York gave aspirin today ."
NESTED = Document(
    CLINIC,
    (
        entity(CLINIC, "The clinic of New York", "FAC"),
        entity(CLINIC, "clinic of New York", "FAC"),
        entity(CLINIC, "New York", "LOC"),
        entity(CLINIC, "York", "LOC"),
        entity(CLINIC, "aspirin", "DRUG"),
    ),
)


def lesson(reader: Reader, documents: Sequence[Document]) -> tuple[Tensor, Tensor, Tensor]:
    """Beliefs, weights and allowed classes of documents that are learnt in one batch."""
    examples = reader.examples(documents)
    taught = gather([reader.allowed(document) for document in documents], examples)
    beliefs, weights = reader.learn(replace(reader.collate(examples), taught=taught))
    assert weights is not None
    return beliefs, weights, taught


def refusal(action: Callable[[], object], kind: type[ConvenerError] = ConfigError) -> str:
    with pytest.raises(kind) as caught:
        action()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


@pytest.mark.parametrize("inside", [False, True])
def test_factorised_scores_equal_dense_ones(inside: bool) -> None:
    torch.manual_seed(0)
    batch, length, types, dim, hidden = 2, 5, 3, 8, 12
    heads = SpanHeads(dim, hidden, types, 0.1, inside).eval()
    for parameter in heads.parameters():
        nn.init.normal_(parameter)
    words = torch.randn(batch, length, types, dim)
    every = torch.cartesian_prod(*map(torch.arange, (batch, length, length, types)))
    pairs = Pairs(*every[every[:, 1] <= every[:, 2]].T)
    found = heads.scores(words, torch.arange(types).expand(batch, -1), pairs)
    dense = torch.cat([heads.first.weight, heads.last.weight], dim=1)
    for score, b, i, j, kind in zip(
        found, pairs.example, pairs.first, pairs.last, pairs.column, strict=True
    ):
        both = torch.cat([words[b, i, kind], words[b, j, kind]])
        inner = dense @ both + heads.first.bias
        if heads.content is not None:
            mean = words[b, i : j + 1, kind].mean(dim=0)
            inner = inner + heads.content.mean.weight @ mean + heads.content.widths[j - i]
        expected = heads.spans[kind] @ nn.functional.gelu(inner)
        torch.testing.assert_close(score, expected + heads.span_bias[kind], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("heads", ["per-type", "shared"])
@pytest.mark.parametrize("shared_layers", [0, 1])
def test_without_attention_types_are_strangers(
    reader: MakeReader, heads: str, shared_layers: int
) -> None:
    asked = {"FAC": "a a ?", "LOC": "in a ?", "DRUG": "a tea ?"}
    made = {"attention": "none", "heads": heads, "shared_layers": shared_layers, "questions": asked}
    together = stirred(reader(LABELS, **made))
    beliefs = grids(together, TEXTS)
    assert nontrivial(beliefs)
    state = together.state_dict()
    for number, label in enumerate(LABELS):
        single = reader((label,), **made)
        own = {
            name: state[name]
            if values.shape == state[name].shape
            else state[name][number : number + 1]
            for name, values in single.state_dict().items()
        }
        single.load_state_dict(own)
        for alone, both in zip(grids(single, TEXTS), beliefs, strict=True):
            np.testing.assert_allclose(alone[..., 0], both[..., number], atol=1e-5)


@both_scopes
def test_the_order_of_types_changes_nothing(reader: MakeReader, scope: str) -> None:
    asked = {"FAC": "the clinic ?", "LOC": "in ?", "DRUG": "a tea she took ?"}
    first = stirred(reader(LABELS, attention=scope, questions=asked))
    order = [2, 0, 1]
    second = reader([LABELS[i] for i in order], attention=scope, questions=asked)
    state = first.state_dict()
    for name, values in state.items():
        if values.shape[:1] == (len(LABELS),) and name.startswith("heads."):
            state[name] = values[order]
    second.load_state_dict(state)
    beliefs = grids(first, TEXTS)
    assert nontrivial(beliefs)
    for left, right in zip(beliefs, grids(second, TEXTS), strict=True):
        np.testing.assert_allclose(left[..., order], right, atol=1e-4)


@both_scopes
def test_untrained_attention_is_none(reader: MakeReader, scope: str) -> None:
    plain = stirred(reader(LABELS, attention="none"))
    attending = reader(LABELS, attention=scope, attention_layers=2)
    attending.load_state_dict(plain.state_dict(), strict=False)
    for left, right in zip(grids(plain, TEXTS), grids(attending, TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)


@both_scopes
@pytest.mark.parametrize("shared_layers", [0, 1])
def test_neighbours_change_nothing(reader: MakeReader, scope: str, shared_layers: int) -> None:
    asked = {"FAC": "the clinic ?", "LOC": "in ?", "DRUG": "a tea she took ?"}
    expert = stirred(reader(LABELS, attention=scope, shared_layers=shared_layers, questions=asked))
    texts = (*TEXTS, " ".join(TEXTS * 3))
    together = grids(expert, texts)
    assert nontrivial(together)
    for text, beliefs in zip(texts, together, strict=True):
        np.testing.assert_allclose(grids(expert, [text])[0], beliefs, atol=1e-4)


def test_examples_cover_every_word_once(reader: MakeReader) -> None:
    expert = reader()
    rows = (SPANS + expert.width) * len(expert.labels)
    documents = [Document("Rome ."), Document("aspirin in Rome today . " * 60), Document(" ")]
    examples = expert.examples(documents)
    assert len(examples) > 4
    for number, document in enumerate(documents):
        found = [row for e in examples if e.document == number for row in range(e.start, e.stop)]
        assert found == list(range(rows * len(document.words())))


@pytest.mark.parametrize("shared_layers", [0, 1])
def test_a_long_text_is_read_whole(reader: MakeReader, shared_layers: int) -> None:
    expert = credulous(reader(shared_layers=shared_layers))
    text = "We gave aspirin in New York today . " * 25
    (beliefs,) = grids(expert, [text])
    words = len(Document(text).words())
    inside = np.add.outer(np.arange(words), np.arange(expert.width)) < words
    assert len(expert.examples([Document(text)])) > 5
    np.testing.assert_array_equal(
        beliefs[:, SPANS:] > np.log(0.5), np.broadcast_to(inside[..., None], (words, 4, 2))
    )
    (document,) = Panel([expert]).annotate([Document(text)])
    assert document.entities[-1].end == len(text.strip())


def test_spans_that_leave_their_window_are_learnt_from_all_the_same(reader: MakeReader) -> None:
    expert = credulous(reader(width=12, window=16, overlap=0))
    words = "We gave aspirin in New York today . " * 6
    document = Document(words)
    offsets = document.words()
    entities = tuple(
        Entity(offsets[first][0], offsets[first + 9][1], "LOC") for first in range(0, 36, 3)
    )
    document = replace(document, entities=entities)
    for documents in ([document], [document, Document("Rome .")]):
        beliefs, weights, taught = lesson(expert, documents)
        assert allowed_loss(beliefs, taught, weights).isfinite()
        beyond = as_grid(expert, weights.detach().numpy())[:, SPANS:]
        for example in expert.examples(documents):
            rows = (SPANS + expert.width) * len(expert.labels)
            read = len(example.positions)
            if example.document == 0:
                for word in range(example.start // rows, example.stop // rows):
                    left = read - (word - example.start // rows)
                    assert not beyond[word, left:].any()


def test_training_weighs_the_candidates_of_bert_mrc(reader: MakeReader) -> None:
    expert = stirred(reader(LABELS, span_weight=0.3)).train()
    documents = [NESTED, Document("Rome .", (Entity(0, 4, "LOC"),)), Document(TEXTS[3])]
    beliefs, weights, taught = lesson(expert, documents)
    yes = as_grid(expert, beliefs[:, 1].detach().numpy()) > np.log(0.5)
    gold = as_grid(expert, (taught[:, 1] & ~taught[:, 0]).numpy())
    weighted = as_grid(expert, weights.numpy())
    begin = 0
    expected = np.zeros_like(gold)
    for document in documents:
        stop = begin + len(document.words())
        for i, wide, kind in np.ndindex(stop - begin, expert.width, len(LABELS)):
            first, last = begin + i, begin + i + wide
            if last < stop:
                expected[first, SPANS + wide, kind] = any(
                    edges[first, START, kind] and edges[last, END, kind] for edges in (yes, gold)
                )
        begin = stop
    np.testing.assert_array_equal(weighted[:, SPANS:] > 0, expected[:, SPANS:])
    np.testing.assert_array_equal(weighted[:, :SPANS], 1)
    chosen = expected[:, SPANS:]
    assert (gold[:, SPANS:] <= chosen).all()
    assert gold[:, SPANS:].sum() < chosen.sum() < 0.9 * chosen.size

    def cross_entropy(rows: slice, mask: Grid) -> float:
        right = np.where(
            gold[:, rows],
            *(as_grid(expert, beliefs[:, c].detach().numpy())[:, rows] for c in (1, 0)),
        )
        return float(-right[mask.astype(bool)].mean())

    starts = cross_entropy(slice(0, 1), np.ones_like(gold[:, :1]))
    ends = cross_entropy(slice(1, 2), np.ones_like(gold[:, :1]))
    spans = cross_entropy(slice(2, None), chosen)
    loss = allowed_loss(beliefs, taught, weights).item()
    assert loss == pytest.approx((starts + ends + 0.3 * spans) / 2.3, rel=1e-4)


def test_type_weights_weigh_types(reader: MakeReader) -> None:
    expert = stirred(reader(LABELS, type_weights=(2.0, 1.0, 0.0)))
    weighted = as_grid(expert, lesson(expert, [NESTED])[1].numpy())
    plain = as_grid(expert, lesson(stirred(reader(LABELS)), [NESTED])[1].numpy())
    np.testing.assert_allclose(weighted, plain * [2, 1, 0], rtol=1e-5)


@pytest.mark.parametrize("negatives", range(5))
def test_training_asks_about_positives_and_some_others(reader: MakeReader, negatives: int) -> None:
    expert = stirred(reader((*LABELS, "PER"), negatives=negatives)).train()
    documents = [NESTED, Document("Rome .", (Entity(0, 4, "LOC"),)), Document("tea")]
    torch.manual_seed(negatives)
    begin = 0
    drawn = set()
    for _ in range(5):
        beliefs, weights, taught = lesson(expert, documents)
        weighted = as_grid(expert, weights.numpy())
        begin = 0
        for document in documents:
            stop = begin + len(document.words())
            asked = weighted[begin:stop].any(axis=(0, 1))
            positive = np.array([x in {e.label for e in document.entities} for x in expert.labels])
            assert asked[positive].all()
            expected = min(4, max(1, positive.sum() + negatives))
            assert asked.sum() == expected
            assert (weighted[begin:stop, :SPANS] == asked).all()
            assert not weighted[begin:stop, :, ~asked].any()
            drawn.add((document.text, *asked))
            begin = stop
    assert (len(drawn) > 3) == (negatives < 4)
    allowed_loss(beliefs, taught, weights).backward()
    for parameter in (expert.heads.starts, expert.heads.spans, *expert.attention.parameters()):  # type: ignore[union-attr]
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any()
    assert expert.encoder.model.get_input_embeddings().weight.grad.any()  # type: ignore[union-attr,operator]


def test_negatives_matter_in_training_only(reader: MakeReader) -> None:
    few, everything = (stirred(reader(LABELS, negatives=n)) for n in (0, None))
    beliefs = grids(few, TEXTS)
    assert nontrivial(beliefs)
    for left, right in zip(beliefs, grids(everything, TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)


PIECES = ("Rome", "é́", "🙂", "x", "東", "New-York", ".", "👩‍👩‍👧")


@st.composite
def annotated(draw: st.DrawFn, flat: bool) -> Document:
    """Text of unusual words with entities of at most four of them, which may nest and cross."""
    text = draw(st.sampled_from(("", " ", "\r\n"))).join(
        draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
    )
    offsets = Document(text).words()
    found: set[Entity] = set()
    taken = 0
    for first in range(len(offsets)):
        for _ in range(draw(st.integers(0, 1 if flat else 3))):
            stop = draw(st.integers(first + 1, min(first + 4, len(offsets))))
            if not flat or first >= taken:
                label = draw(st.sampled_from(LABELS))
                found.add(Entity(offsets[first][0], offsets[stop - 1][1], label))
                taken = stop
    return Document(text, tuple(found))


@pytest.fixture(scope="module")
def nested_reader(reader: MakeReader) -> Reader:
    return reader(LABELS)


@pytest.fixture(scope="module")
def flat_reader(reader: MakeReader) -> Reader:
    return reader(LABELS, nested=False)


def answers(reader: Reader, document: Document) -> list[Entity]:
    """What a reader answers that believes exactly what its labels allow."""
    allowed = reader.allowed(document)
    probabilities = (allowed / allowed.sum(axis=1, keepdims=True)).astype(np.float32)
    found = reader.decode(document, np.clip(probabilities, 1e-5, 1))
    assert all(e.score == 1 for e in found)
    return sorted((replace(e, score=None) for e in found), key=lambda e: (*e.span, e.label))


def in_order(entities: Sequence[Entity]) -> list[Entity]:
    return sorted(entities, key=lambda e: (*e.span, e.label))


@QUIET
@given(annotated(flat=False))
def test_decoding_undoes_the_labels_of_nested_entities(
    nested_reader: Reader, document: Document
) -> None:
    assert answers(nested_reader, document) == in_order(document.entities)


@QUIET
@given(annotated(flat=True))
def test_decoding_undoes_the_labels_of_flat_entities(
    flat_reader: Reader, document: Document
) -> None:
    assert answers(flat_reader, document) == in_order(document.entities)


@QUIET
@given(annotated(flat=False), st.sampled_from([2, 4]))
def test_a_label_is_said_by_the_rows_that_it_changes(
    reader: MakeReader, document: Document, width: int
) -> None:
    expert = reader(LABELS, width=width)
    for entity in document.entities:
        changed = ~expert.allowed(replace(document, entities=(entity,)))[:, 0]
        said = expert.layout.said_by(*WordIndex(document).words(entity.span), entity.label)
        assert sorted(said) == np.flatnonzero(changed).tolist()


def test_entities_wider_than_the_width_teach_their_edges_only(reader: MakeReader) -> None:
    expert = reader(LABELS, width=2)
    assert answers(expert, NESTED) == in_order(NESTED.entities[2:])
    grid = as_grid(expert, expert.allowed(NESTED)[:, 1])
    assert grid[:, START, 0].tolist() == [True, True] + [False] * 7
    assert grid[:, END, 0].tolist() == [False] * 4 + [True] + [False] * 4
    assert not grid[:, SPANS:, 0].any()


def test_a_flat_reader_decodes_the_best_spans_apart(flat_reader: Reader) -> None:
    document = Document("New York Rome")
    yes = np.zeros((3, SPANS + flat_reader.width, 3), dtype=np.float32)
    yes[:, :SPANS] = 0.9
    yes[0, SPANS, 0] = yes[1, SPANS, 1] = 0.6
    yes[0, SPANS + 1, 2] = 0.9
    yes[2, SPANS, 0] = 0.51
    rows = np.stack([1 - yes.ravel(), yes.ravel()], axis=1)
    apart = [(e.span, e.label) for e in flat_reader.decode(document, rows)]
    assert apart == [((0, 3), "FAC"), ((4, 8), "LOC"), ((9, 13), "FAC")]


def test_ambiguous_labels(nested_reader: Reader, flat_reader: Reader) -> None:
    document = Document("gave New York", (Entity(5, 13, "LOC"), Entity(5, 13, "FAC")))
    cells = {(1, START), (2, END), (1, SPANS + 1)}
    for expert, no in ((flat_reader, True), (nested_reader, False)):
        grid = expert.allowed(document).reshape(3, SPANS + 4, 3, 2)
        for word, row, kind in np.ndindex(grid.shape[:3]):
            special = (word, row) in cells and kind < 2
            assert grid[word, row, kind].tolist() == ([no, True] if special else [True, False])
    assert answers(flat_reader, document) == []
    assert answers(nested_reader, document) == in_order(document.entities)


def test_labels_that_sources_proposed_are_ambiguous_when_nested_too(nested_reader: Reader) -> None:
    short = Entity(0, 3, "LOC", source="dictionary")
    either = [Entity(0, 8, label, source="dictionary") for label in ("LOC", "FAC")]
    grid = nested_reader.allowed(Document("New York", (short, *either))).reshape(2, SPANS + 4, 3, 2)
    assert grid[0, SPANS + 1, :2].all()
    assert grid[0, START].tolist() == [[True, True], [False, True], [True, False]]
    assert grid[0, SPANS, 1].tolist() == [False, True]


def test_unknown_stretches_say_nothing(flat_reader: Reader) -> None:
    document = Document("Lima gave tea", (Entity(0, 4, "LOC"),), unknown=((5, 9),))
    grid = flat_reader.allowed(document).reshape(3, SPANS + 4, 3, 2)
    assert grid[1].all()
    assert grid[0, SPANS + 1].all()
    assert not grid[0, [START, END, SPANS, SPANS + 2, SPANS + 3]].all(axis=-1).any()
    assert not grid[2].all(axis=-1).any()
    known = replace(document, entities=(Entity(5, 9, "LOC"),))
    assert answers(flat_reader, known) == list(known.entities)


def test_entities_that_cross_are_refused_by_flat_readers(
    nested_reader: Reader, flat_reader: Reader
) -> None:
    document = Document("New\nYork", (Entity(0, 8, "LOC"), Entity(4, 8, "FAC")))
    line = refusal(lambda: flat_reader.allowed(document), DataError)
    assert "flat entities only" in line
    assert "'York' (FAC)" in line
    assert nested_reader.allowed(document)[:, 1].sum() == 6


def test_an_unknown_label_is_refused(nested_reader: Reader) -> None:
    document = Document("Ada", (Entity(0, 3, "PER"),))
    line = refusal(lambda: nested_reader.allowed(document), DataError)
    assert line.startswith("unknown label 'PER': the model knows FAC, LOC, DRUG: name it")


def test_it_reads_question_and_context_as_bert_does(reader: MakeReader) -> None:
    expert = stirred(reader(("LOC",)))
    batch = expert.collate(expert.examples([Document(TEXTS[1])]))
    question = expert.questions.ids[0]
    end = torch.tensor([expert.encoder.words.frame.last])
    ids = torch.cat([question, batch.ids[0], end])[None]
    segments = (torch.arange(ids.shape[1]) >= len(question)).long()[None]
    shapes = nn.functional.pad(batch.shapes, (len(question), 1))
    assert shapes.any()
    hidden = expert.encoder(ids, torch.ones_like(ids), shapes, segments)
    found = expert.questions.words(expert.encoder, batch, torch.tensor([[0]]), batch.rows[1][None])
    expected = hidden[0, len(question) + batch.rows[1]]
    torch.testing.assert_close(found[0, :, 0], expected, atol=1e-5, rtol=1e-5)


def test_shared_layers_read_question_and_context_apart(reader: MakeReader) -> None:
    expert = stirred(reader(("LOC",), shared_layers=1))
    encoder = expert.encoder
    batch = expert.collate(expert.examples([Document(TEXTS[1])]))
    question = expert.questions.ids
    size = question.shape[1]
    context = nn.functional.pad(batch.ids, (0, 1), value=encoder.words.frame.last)
    shapes = nn.functional.pad(batch.shapes, (0, 1))
    embeddings, layers = encoder.model.embeddings, encoder.model.encoder.layer  # type: ignore[union-attr]
    lower = [
        layers[0](  # type: ignore[index,operator,union-attr]
            embeddings(  # type: ignore[operator]
                inputs_embeds=encoder._embedded(ids, kinds),
                position_ids=begin + torch.arange(ids.shape[1])[None],
                token_type_ids=torch.full_like(ids, segment),
            )
        )
        for ids, kinds, begin, segment in (
            (question, torch.zeros_like(question), 0, 0),
            (context, shapes, size, 1),
        )
    ]
    hidden = layers[1](torch.cat(lower, dim=1))  # type: ignore[index,operator,union-attr]
    found = expert.questions.words(encoder, batch, torch.tensor([[0]]), batch.rows[1][None])
    expected = hidden[0, size + batch.rows[1]]
    torch.testing.assert_close(found[0, :, 0], expected, atol=1e-5, rtol=1e-5)


def test_kept_questions_follow_the_weights(reader: MakeReader) -> None:
    expert, other = (stirred(reader(LABELS, shared_layers=1), seed) for seed in (1, 2))
    before = grids(expert, TEXTS)
    expert.load_learned_state(other.learned_state())
    after = grids(expert, TEXTS)
    assert np.abs(after[0] - before[0]).max() > 0.1
    for left, right in zip(after, grids(other, TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)
    beliefs, weights, taught = lesson(expert.train(), [NESTED])
    allowed_loss(beliefs, taught, weights).backward()
    torch.optim.AdamW(expert.parameters(), lr=0.1, fused=True).step()
    trained = grids(expert, TEXTS)
    assert np.abs(trained[0] - after[0]).max() > 0.01
    fresh = reader(LABELS, shared_layers=1)
    fresh.load_state_dict(expert.state_dict())
    for left, right in zip(trained, grids(fresh, TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)


def test_questions_are_read_once_while_nothing_changes(
    reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert = stirred(reader(LABELS, shared_layers=1))
    read, alone = [], expert.questions.alone
    expert.eval()
    expert.questions.to("cpu")
    monkeypatch.setattr(expert.questions, "alone", lambda e: read.append(e) or alone(e))
    grids(expert, TEXTS)
    grids(expert, TEXTS)
    assert len(read) == 1
    lesson(expert.train(), [NESTED])
    grids(expert, TEXTS)
    assert len(read) == 3


@given(st.lists(st.integers(3, 512), min_size=1, max_size=400))
def test_runs_are_as_long_as_little_padding_allows(lengths: list[int]) -> None:
    sizes = torch.tensor(lengths)
    runs = [run.tolist() for run in _runs(sizes, 16_384)]
    assert sorted(itertools.chain(*runs)) == list(range(len(lengths)))
    ordered = [lengths[index] for run in runs for index in run]
    assert ordered == sorted(lengths, reverse=True)

    def fits(run: list[int]) -> bool:
        padded = len(run) * lengths[run[0]]
        full = sum(lengths[index] for index in run) >= 0.9 * padded
        return len(run) == 1 or (padded <= 16_384 and (full or padded <= 2_048))

    assert all(map(fits, runs))
    for run, after in itertools.pairwise(runs):
        assert not fits([*run, after[0]])


@both_scopes
def test_examples_are_mixed_a_few_at_a_time_to_the_same_end(
    reader: MakeReader, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert = stirred(reader(LABELS, attention=scope))
    together = grids(expert, TEXTS)
    mixed: list[int] = []
    attention = expert.attention
    assert attention is not None
    attention.register_forward_pre_hook(lambda _, given: mixed.append(len(given[0])))
    monkeypatch.setattr("convener.models.reader._CPU_MIXED_VECTORS", 1)
    for one, other in zip(together, grids(expert, TEXTS), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert mixed == [1] * len(TEXTS)


def test_only_pairs_of_likely_starts_and_ends_are_scored(
    reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert = stirred(reader(LABELS))
    (grid,) = grids(expert, [TEXTS[1]])
    likely = np.exp(grid) > 0.1
    pairs = sum(
        likely[first, START, kind] and likely[last, END, kind]
        for kind in range(len(LABELS))
        for first in range(len(grid))
        for last in range(first, min(first + expert.width, len(grid)))
    )
    scored, scores = [], expert.heads.scores

    def counted(words: Tensor, types: Tensor, given: Pairs) -> Tensor:
        scored.append(len(given.first))
        return scores(words, types, given)

    monkeypatch.setattr(expert.heads, "scores", counted)
    grids(expert, [TEXTS[1]])
    assert 0 < scored[0] == pairs < len(grid) * expert.width * len(LABELS)


def test_kept_questions_go_where_the_expert_goes(reader: MakeReader) -> None:
    expert = stirred(reader(LABELS, shared_layers=1))
    exact = grids(expert, TEXTS)
    narrow = grids(expert.to(torch.bfloat16), TEXTS)
    wide = grids(expert.to(torch.float32), TEXTS)
    scored = np.minimum(narrow[0], exact[0]) > NEVER + 1
    assert scored[:, SPANS:].any()
    assert np.abs(narrow[0] - exact[0])[scored].max() < 0.25
    fresh = reader(LABELS, shared_layers=1)
    fresh.load_state_dict(expert.state_dict())
    for left, right in zip(wide, grids(fresh, TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("shared_layers", [0, 1])
def test_a_reader_that_has_answered_can_be_cloned_and_taught(
    reader: MakeReader, shared_layers: int
) -> None:
    expert = stirred(reader(LABELS, shared_layers=shared_layers))
    before = grids(expert, TEXTS)
    clone = expert.clone()
    for left, right in zip(before, grids(clone, TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)
    beliefs, weights, taught = lesson(clone.train(), [NESTED])
    allowed_loss(beliefs, taught, weights).backward()
    assert all(p.grad is None for p in expert.parameters())
    assert all(
        p.grad is not None and p.grad.isfinite().all()
        for name, p in clone.named_parameters()
        if "model" not in name
    )


def test_frequency_counts_starts_ends_and_spans_by_type(reader: MakeReader) -> None:
    layout = reader(LABELS).layout
    told = layout.frequency(layout.allowed(NESTED).astype(np.float32))
    yes = told.reshape(-1, len(LABELS), 2)[..., 1]
    for number, label in enumerate(LABELS):
        spans = [entity.span for entity in NESTED.entities if entity.label == label]
        assert yes[START, number] == len({start for start, _ in spans})
        assert yes[END, number] == len({end for _, end in spans})
        words = [stop - first for first, stop in map(WordIndex(NESTED).words, spans)]
        assert set(yes[SPANS:, number]) == {sum(count <= layout.width for count in words)}


def test_a_copy_of_what_was_taught_and_put_back_asks_its_questions_anew(reader: MakeReader) -> None:
    expert = stirred(reader(LABELS, shared_layers=1))
    early = {name: values.clone() for name, values in expert.learned_state().items()}
    taught = expert.clone()
    for parameter in taught.parameters():
        parameter.data *= 1.1
    grids(taught, TEXTS)
    taught.load_learned_state(early)
    for left, right in zip(grids(expert, TEXTS), grids(taught.clone(), TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("shared_layers", [2, 3])
def test_layers_that_cannot_be_shared(reader: MakeReader, shared_layers: int) -> None:
    line = refusal(lambda: reader(shared_layers=shared_layers))
    assert line.startswith("expected shared_layers between 0 and 1")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"questions": {"DRUG": "tea ?"}}, "got none for 'LOC'"),
        ({"questions": {"DRUG": "tea ?", "LOC": "Tea  ?"}}, "different question"),
        ({"questions": {"DRUG": "tea ?", "LOC": "in " * 30}}, "at most 29 sub-words"),
        ({"attention_heads": 5}, "divides 32, got 5"),
        ({"type_weights": (1.0, 2.0, 3.0)}, "type_weights"),
        ({"labels": ()}, "expected different entity types"),
        ({"labels": ("LOC", "LOC")}, "expected different entity types"),
    ],
)
def test_settings_that_do_not_fit(
    reader: MakeReader, settings: dict[str, object], expected: str
) -> None:
    assert expected in refusal(lambda: reader(**settings))


def test_five_hundred_types(reader: MakeReader) -> None:
    labels = [f"t{number}" for number in range(500)]
    expert = credulous(reader(labels, width=2, negatives=3))
    (beliefs,) = grids(expert, ["Rome and Oslo"])
    assert beliefs.shape == (3, 4, 500)
    assert (beliefs > np.log(0.5)).sum() == 500 * (3 + 3 + 5)
    _, weights, _ = lesson(expert.train(), [Document("Rome", (Entity(0, 4, "t7"),))])
    assert (as_grid(expert, weights.numpy())[0, START] > 0).sum() == 4


def test_texts_without_words(reader: MakeReader) -> None:
    panel = Panel([credulous(reader())])
    documents = [Document(""), Document("Rome"), Document(" \n")]
    assert [len(d.entities) for d in panel.annotate(documents)] == [0, 2, 0]
    assert panel.annotate([Document("")])[0].entities == ()


def test_other_questions_use_the_same_weights(reader: MakeReader) -> None:
    expert = stirred(reader(heads="shared"))
    before = grids(expert, TEXTS)
    again = expert.asked(expert.config.questions or {})
    assert nontrivial(before)
    for left, right in zip(before, grids(again, TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)
    other = expert.asked({"PER": "nobody ?", "LOC": "a LOC ?", "TEA": "tea ?"})
    assert other.labels == ("PER", "LOC", "TEA")
    assert {id(p) for p in other.parameters()} == {id(p) for p in expert.parameters()}
    assert grids(other, TEXTS)[0].shape[2] == 3
    for left, right in zip(before, grids(expert, TEXTS), strict=True):
        np.testing.assert_array_equal(left, right)


def test_asking_leaves_the_asked_as_it_was(reader: MakeReader) -> None:
    expert = stirred(reader(heads="shared"))
    batch: Batch = expert.collate(expert.examples([Document(TEXTS[1])]))
    before = expert(batch)
    other = expert.asked(expert.config.questions or {})
    assert not other.training
    assert torch.equal(expert(batch), before)


def test_heads_of_types_know_no_other_types(reader: MakeReader) -> None:
    assert "reader.heads=shared" in refusal(lambda: reader().asked({"PER": "nobody ?"}))


def test_shared_heads_tell_types_by_their_questions(reader: MakeReader) -> None:
    expert = stirred(reader(LABELS, heads="shared", attention="none"))
    (beliefs,) = grids(expert, [TEXTS[1]])
    for left, right in itertools.combinations(range(3), 2):
        assert np.abs(beliefs[..., left] - beliefs[..., right]).max() > 0.1


def test_attention_to_look_at(reader: MakeReader) -> None:
    expert = reader(attention="none")
    batch = expert.collate(expert.examples([Document("Rome")]))
    assert "no attention" in refusal(lambda: expert.looks(batch))
