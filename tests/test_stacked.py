"""Experts asked together answer as each would alone, and leave their base as it is."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import DebertaV2Config, DebertaV2Model

from convener.errors import ConfigError, ModelError
from convener.models.adapter import Adapter, Change, LowRank, apply
from convener.models.encoders import Encoder
from convener.models.layout import Rows
from convener.models.reader import Reader
from convener.models.stacked import Stacked
from convener.panel.panel import Panel, annotate_each, log_beliefs
from convener.recipes.adapt import answers_of
from convener.recipes.families import Readers
from convener.text.documents import Document
from convener.training.progress import Log
from tests.conftest import SIZES
from tests.test_reader import stirred

MakeReader = Callable[..., Reader]

LABELS = ("FAC", "LOC", "DRUG")
QUESTIONS = {"FAC": "the clinic ?", "LOC": "in ?", "DRUG": "a tea she took ?"}
TEXTS = (
    "Rome .",
    "The clinic of New York gave aspirin in Oslo today .",
    "",
    "She walks home , sleeps , and helped Doctors in Cairo like tea not insulin . " * 4,
)
DOCUMENTS = [Document(text) for text in TEXTS]
LAYER = "encoder.model.encoder.layer.1"
QUERY = f"{LAYER}.attention.self.query"

both_depths = pytest.mark.parametrize("shared_layers", [0, 1])


@pytest.fixture
def base(reader: MakeReader) -> Callable[..., Reader]:
    """Makes a base that believes now this, now that."""

    def make(**config: object) -> Reader:
        return stirred(reader(LABELS, questions=QUESTIONS, **config))

    return make


def low_rank(layer: nn.Linear, rank: int, generator: torch.Generator) -> LowRank:
    return LowRank(
        0.2 * torch.randn(rank, layer.in_features, generator=generator),
        0.2 * torch.randn(layer.out_features, rank, generator=generator),
    )


def adapter(base: Reader, seed: int, rank: int = 3, kinds: Sequence[str] = ("low",)) -> Adapter:
    """Changes of each linear layer of the encoder, of a kind drawn, and of all outside of it."""
    generator, draw = torch.Generator().manual_seed(seed), random.Random(seed)
    found: dict[str, Change] = {}
    for name, module in base.encoder.model.named_modules(prefix="encoder.model"):
        if isinstance(module, nn.Linear):
            change = low_rank(module, rank, generator)
            kind = draw.choice(kinds)
            if kind != "none":
                found[name] = change if kind == "low" else change.delta()
    for name, values in base.named_parameters():
        if not name.startswith("encoder.model."):
            found[name] = 0.05 * torch.randn(values.shape, generator=generator)
    return found


def together(base: Reader, adapters: Sequence[Adapter]) -> list[list[Rows]]:
    """Beliefs of stacked experts by expert and document."""
    stacked = Stacked(base, adapters)
    found = log_beliefs(stacked, stacked.examples(DOCUMENTS), len(DOCUMENTS))
    return [[rows[:, expert] for rows in found] for expert in range(len(adapters))]


def alone(base: Reader, change: Adapter) -> Reader:
    """The expert that an adapter makes of a copy of the base."""
    expert = base.clone()
    apply(expert, change)
    return expert


def beliefs(expert: Reader) -> list[Rows]:
    return log_beliefs(expert, expert.examples(DOCUMENTS), len(DOCUMENTS))


def assert_same(found: Sequence[Rows], expected: Sequence[Rows]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def distance(one: Sequence[Rows], other: Sequence[Rows]) -> float:
    return max(float(np.abs(a - b).max(initial=0)) for a, b in zip(one, other, strict=True))


experts = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**31),
        "rank": st.integers(1, 6),
        "kinds": st.lists(st.sampled_from(["low", "dense", "none"]), min_size=1, max_size=3),
    }
)


@both_depths
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plans=st.lists(experts, min_size=1, max_size=4))
def test_each_answers_as_it_would_alone(
    base: MakeReader, shared_layers: int, plans: list[dict[str, object]]
) -> None:
    shared = base(shared_layers=shared_layers)
    adapters = [adapter(shared, **plan) for plan in plans]  # type: ignore[arg-type]
    for found, change in zip(together(shared, adapters), adapters, strict=True):
        assert_same(found, beliefs(alone(shared, change)))


def one_layer(base: Reader) -> Iterator[tuple[str, Adapter]]:
    """Adapters that change one thing each."""
    generator = torch.Generator().manual_seed(3)
    parameters = dict(base.named_parameters())
    query = base.get_submodule(QUERY)
    assert isinstance(query, nn.Linear)
    for rank in (1, 4, 7):
        yield f"rank {rank}", {QUERY: low_rank(query, rank, generator)}
    yield "dense", {QUERY: low_rank(query, 32, generator).delta()}
    yield "by parameter", {f"{QUERY}.weight": low_rank(query, 2, generator)}
    for name in (
        f"{QUERY}.bias",
        f"{LAYER}.output.LayerNorm.weight",
        "encoder.shapes.weight",
        "heads.starts",
        "heads.last.weight",
        "heads.content.mean.weight",
        "heads.content.widths",
        "attention.layers.0.outward.weight",
    ):
        yield name, {name: 0.1 * torch.randn(parameters[name].shape, generator=generator)}


@both_depths
def test_each_kind_of_change_counts_for_its_expert_alone(
    base: MakeReader, shared_layers: int
) -> None:
    shared = base(shared_layers=shared_layers)
    plain = beliefs(shared)
    changes = dict(one_layer(shared))
    found = together(shared, [*changes.values(), {}])
    assert_same(found[-1], plain)
    for (name, change), rows in zip(changes.items(), found[:-1], strict=True):
        assert_same(rows, beliefs(alone(shared, change)))
        assert distance(rows, plain) > 1e-3, name
        assert_same(together(shared, [change])[0], rows)


@pytest.mark.parametrize(
    "config",
    [
        {"attention": "none"},
        {"attention": "positions"},
        {"heads": "shared"},
        {"shapes": False},
        {"nested": False},
        {"negatives": 1},
        {"window": 16, "overlap": 4},
    ],
    ids=str,
)
def test_readers_of_all_sorts_stack(base: MakeReader, config: dict[str, object]) -> None:
    shared = base(**config)
    adapters = [adapter(shared, seed, rank=seed) for seed in (1, 2)]
    for found, change in zip(together(shared, adapters), adapters, strict=True):
        assert_same(found, beliefs(alone(shared, change)))


@both_depths
def test_order_and_company_change_nothing(base: MakeReader, shared_layers: int) -> None:
    shared = base(shared_layers=shared_layers)
    adapters = [adapter(shared, seed, rank=seed + 1) for seed in range(3)]
    expected = together(shared, adapters)
    assert all(distance(*pair) > 0.1 for pair in itertools.combinations(expected, 2))
    for order in itertools.permutations(range(3)):
        for found, number in zip(
            together(shared, [adapters[i] for i in order]), order, strict=True
        ):
            assert_same(found, expected[number])
    joined = together(shared, [*adapters, adapter(shared, 9, rank=6, kinds=("dense", "none"))])
    for found, before in zip(joined, expected, strict=False):
        assert_same(found, before)


@both_depths
def test_the_base_stays_as_it_is(base: MakeReader, shared_layers: int) -> None:
    shared = base(shared_layers=shared_layers)
    before = beliefs(shared)
    state = {name: values.clone() for name, values in shared.state_dict().items()}
    tensors = [*map(id, shared.parameters())]
    shared.train()
    kinds = ("low", "dense", "none")
    together(shared, [adapter(shared, seed, kinds=kinds) for seed in (1, 2)])
    assert all(module.training for module in shared.modules())
    assert [*map(id, shared.parameters())] == tensors
    for name, values in shared.state_dict().items():
        assert torch.equal(values, state[name]), name
    for ours, theirs in zip(beliefs(shared), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_low_rank_experts_share_the_weights_of_their_base(base: MakeReader) -> None:
    shared = base()
    stacked = Stacked(shared, [dict(one_layer(shared))["rank 4"]] * 5)
    weights = {values.untyped_storage().data_ptr() for values in shared.parameters()}
    tensors = [*stacked.parameters(), *stacked.buffers()]
    own = {values.untyped_storage() for values in tensors}
    extra = sum(s.nbytes() for s in own if s.data_ptr() not in weights)
    assert extra < sum(p.numel() * p.element_size() for p in shared.encoder.parameters()) / 4


def test_they_share_them_on_another_device_too(base: MakeReader) -> None:
    shared = base()
    stacked = Stacked(shared, [dict(one_layer(shared))["rank 4"]] * 5).to("meta")
    linear = stacked.encoder.get_submodule(QUERY.removeprefix("encoder."))
    assert linear.weight.untyped_storage().nbytes() == 4 * 32 * 32


def test_they_annotate_as_panels_of_one(base: MakeReader) -> None:
    shared = base(nested=False)
    adapters = {f"expert {seed}": adapter(shared, seed) for seed in range(9)}
    names = list(adapters)
    family = Readers(lambda: shared)
    made = answers_of(family, adapters.__getitem__, DOCUMENTS, Log(), names)
    answers = dict(made)
    assert list(answers) == list(adapters)
    assert len({str(found) for found in answers.values()}) > 5
    for name, change in adapters.items():
        expected = Panel([alone(shared, change)]).annotate(DOCUMENTS)
        for ours, theirs in zip(answers[name], expected, strict=True):
            assert [(e.span, e.label) for e in ours.entities] == [
                (e.span, e.label) for e in theirs.entities
            ]
            np.testing.assert_allclose(
                [e.score for e in ours.entities], [e.score for e in theirs.entities], atol=1e-5
            )


def test_encoders_that_cannot_be_shared_answer_one_by_one(
    base: MakeReader,
) -> None:
    """Those of DeBERTa also treat distances of words, which all sequences share."""
    tiny = base().encoder
    config = DebertaV2Config(
        vocab_size=len(tiny.words.tokenizer),
        **SIZES,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
    )
    encoder = Encoder(DebertaV2Model(config), tiny.words.tokenizer, shapes=True)
    settings = base(heads="shared").config
    shared = stirred(Reader(encoder, LABELS, settings))
    layers = encoder.model.named_modules(prefix="encoder.model")
    linear = {name: layer for name, layer in layers if isinstance(layer, nn.Linear)}
    changes: list[Adapter] = []
    for seed in (1, 2):
        generator = torch.Generator().manual_seed(seed)
        changes.append({name: low_rank(layer, 3, generator) for name, layer in linear.items()})
    answers = list(Readers(shared.clone).answers(changes, DOCUMENTS))
    assert answers[0] != answers[1]
    assert answers == [Panel([alone(shared, c)]).annotate(DOCUMENTS) for c in changes]


def test_nothing_is_found_where_nothing_is(base: MakeReader) -> None:
    shared = base()
    blank = [Document(""), Document(" \n")]
    assert annotate_each(Stacked(shared, [{}, {}]), blank) == [blank, blank]


def test_a_batch_holds_fewer_sentences_the_more_experts_read_them(base: MakeReader) -> None:
    shared = base()
    costs = [len(example) for example in shared.examples(DOCUMENTS)]
    stacked = Stacked(shared, [{}] * 5)
    assert [len(example) for example in stacked.examples(DOCUMENTS)] == [5 * cost for cost in costs]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"encoder.model.lost": LowRank(torch.ones(1, 32), torch.ones(32, 1))}, "model.lost"),
        ({QUERY: LowRank(torch.ones(2, 31), torch.ones(32, 2))}, r"\[32, 31\]"),
        ({"heads.starts": torch.ones(2, 2)}, "heads.starts"),
        (
            {"encoder.model.embeddings.position_embeddings": torch.ones(64, 32)},
            "a change of model.embeddings.position_embeddings",
        ),
    ],
)
def test_what_does_not_fit_is_refused(base: MakeReader, change: Adapter, expected: str) -> None:
    shared = base()
    before = beliefs(shared)
    with pytest.raises(ModelError, match=expected) as error:
        Stacked(shared, [adapter(shared, 1), change])
    assert "\n" not in str(error.value)
    assert_same(beliefs(shared), before)


def test_nobody_cannot_be_asked(base: MakeReader) -> None:
    with pytest.raises(ConfigError, match="at least one expert"):
        Stacked(base(), [])
