"""The training loop of one expert: some steps of AdamW on accelerate.

A `Learner` is an expert with its optimiser. It trains in *rounds*: each is a pure function of the
learner's state, the data and a seed, so a run stopped between rounds and taken up again is the
run that never stopped, and experts may train in any order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from convener.errors import ConfigError
from convener.models.expert import Expert
from convener.models.layout import Example
from convener.models.schedule import schedule
from convener.models.seeding import seeded
from convener.training.batching import endless_batches, shuffled_batches
from convener.training.optimiser_config import OptimiserConfig
from convener.training.precision import computed_in

OnStep = Callable[[], None]


class Objective(Protocol):
    """What examples are taught, and the loss against it."""

    def supervision(self, examples: Sequence[Example]) -> list[Tensor]:
        """Tensors that begin with the rows of the examples, the first [rows, classes]."""

    def loss(self, beliefs: Tensor, weights: Tensor | None, supervision: list[Tensor]) -> Tensor:
        """The loss of beliefs [rows, classes]; `weights` [rows] says how much each row counts."""


def steps_of_a_pass(examples: Sequence[Example], config: OptimiserConfig) -> float:
    """About how many steps it takes to see all examples once."""
    pieces = sum(len(example) for example in examples)
    return max(len(examples) / config.batch_sentences, pieces / config.batch_pieces)


def batches_of_a_pass(examples: Sequence[Example], config: OptimiserConfig, seed: int) -> int:
    """How many steps `Learner.train` takes, with this seed, to see all examples once."""
    lengths = [len(example) for example in examples]
    generator = np.random.default_rng(seed)
    return len(shuffled_batches(lengths, config.batch_pieces, config.batch_sentences, generator))


class Learner:
    """An expert in training for `total_steps` steps of linear warm-up and decay.

    `name` is that of the stage, on which its random draws depend.

    With `ema` in (0, 1) an average of its parameters, `average`, follows it at that rate.
    """

    def __init__(
        self,
        expert: Expert,
        name: str,
        config: OptimiserConfig,
        total_steps: int,
        accelerator: Accelerator,
        ema: float = 0.0,
    ) -> None:
        self.expert = expert
        self.name = name
        self.config = config
        self.total_steps = total_steps
        self.accelerator = accelerator
        self.steps = 0
        self.ema = ema
        self.average = expert.clone() if ema else None
        self.optimiser = torch.optim.AdamW(
            parameter_groups(expert, config), betas=(0.9, 0.98), eps=1e-8, fused=True
        )
        self.rates = [group["lr"] for group in self.optimiser.param_groups]

    def train(
        self,
        examples: Sequence[Example],
        objective: Objective,
        steps: int,
        seed: int,
        on_step: OnStep,
    ) -> float:
        """Take `steps` steps on random batches of the examples and return the mean loss.

        Raises:
            ConfigError: the loss is no longer a finite number.
        """
        self.expert.train()
        lengths = [len(example) for example in examples]
        generator = np.random.default_rng(seed)
        batches = endless_batches(
            lengths, self.config.batch_pieces, self.config.batch_sentences, generator
        )
        with seeded(seed):
            losses = [
                self._step([examples[index] for index in next(batches)], objective, on_step)
                for _ in range(steps)
            ]
        mean = float(torch.stack(losses).mean())
        if not np.isfinite(mean):
            raise ConfigError(
                f"the loss became {mean}: lower learning_rate (it is {self.config.learning_rate})"
            )
        return mean

    def _step(self, examples: list[Example], objective: Objective, on_step: OnStep) -> Tensor:
        factor = schedule(self.steps, self.total_steps, self.config.warmup)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        device = self.accelerator.device
        taught = [rows.to(device) for rows in objective.supervision(examples)]
        batch = replace(self.expert.collate(examples).to(device), taught=taught[0])
        with computed_in(self.config.precision, device.type):
            beliefs, weights = self.expert.learn(batch)
        loss = objective.loss(beliefs, weights, taught)
        self.accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.expert.parameters(), self.config.clip)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.steps += 1
        if self.average is not None:
            follow(self.average, self.expert, self.ema)
        on_step()
        return loss.detach()

    def __reduce__(self) -> tuple[Callable[..., "Learner"], tuple[object, ...]]:
        made_of = (self.expert, self.name, self.config, self.total_steps, self.ema)
        return _arrived, (*made_of, self.state())

    def state(self) -> dict[str, Tensor]:
        """Everything that a later `load_state` needs, as named tensors."""
        state = {f"expert.{name}": values for name, values in self.expert.learned_state().items()}
        if self.average is not None:
            average = self.average.learned_state()
            state |= {f"average.{name}": values for name, values in average.items()}
        for index, slots in self.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{index}.{name}": values for name, values in slots.items()}
        return state | {"steps": torch.tensor(self.steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Become the learner that gave `state`."""
        self.steps = int(state["steps"])
        self.expert.load_learned_state(under("expert.", state))
        if self.average is not None:
            self.average.load_learned_state(under("average.", state))
        slots: dict[int, dict[str, Tensor]] = {}
        for key, values in under("optimiser.", state).items():
            index, _, name = key.partition(".")
            slots.setdefault(int(index), {})[name] = values.clone()
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": slots, "param_groups": groups})


def _arrived(
    expert: Expert,
    name: str,
    config: OptimiserConfig,
    total_steps: int,
    ema: float,
    state: Mapping[str, Tensor],
) -> Learner:
    """A learner that came from another process, on the device of this one."""
    accelerator = Accelerator()
    expert = expert.to(accelerator.device)
    learner = Learner(expert, name, config, total_steps, accelerator, ema)
    learner.load_state(state)
    return learner


def under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of a state whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def follow(average: Expert, expert: Expert, rate: float) -> None:
    """Move an exponential moving average one step: a ← rate·a + (1 − rate)·e."""
    with torch.no_grad():
        for kept, new in zip(
            average.learned_state().values(), expert.learned_state().values(), strict=True
        ):
            kept.lerp_(new, 1 - rate)


def parameter_groups(expert: Expert, config: OptimiserConfig) -> list[dict[str, object]]:
    """Trainable parameters by learning rate, biases and norms without decay."""
    new = {id(parameter) for parameter in expert.new_parameters()}
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for parameter in expert.parameters():
        if parameter.requires_grad:
            rate = config.head_learning_rate if id(parameter) in new else config.learning_rate
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
