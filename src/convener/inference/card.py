"""The model card: what a model was made from and how well it did, for people and for programs.

Its front matter is what the Hugging Face hub reads.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, Field

PACKAGES = ("convener", "torch", "transformers", "tokenizers", "accelerate")

_KINDS = {
    "tagger": "taggers",
    "reader": "readers, Multi-NER (arXiv 2309.11027)",
    "generator": "a language model with LoRA",
}


class Card(BaseModel):
    """Provenance of a model; `run` is its configuration, `history` the figures of each round.

    `types` and `sources` count the entities it was trained on, by type and by what proposed them,
    of which abstention left `left_out` out of the loss;
    `dev_interval` is the 95 % interval of `dev_f1` when the dev documents are drawn anew. Scores
    are tempered by `temperature`; `calibration_error` is that on the dev set before and after. A
    model that was `distilled` has its panel's provenance, and says from what and how it learnt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str
    documents: int
    groups: int
    data_sha256: str
    dev_f1: float | None
    dev_interval: tuple[float, float] | None = None
    temperature: float = Field(default=1.0, gt=0)
    calibration_error: tuple[float, float] | None = None
    types: dict[str, int] = {}
    sources: dict[str, int] = {}
    left_out: int = 0
    licence: str = "unknown"
    versions: dict[str, str]
    run: dict[str, object]
    history: list[dict[str, object]]
    distilled: dict[str, object] | None = None

    @property
    def recipe(self) -> str:
        """What the model was made by, with the paper."""
        bond = self.run.get("bond")
        if not isinstance(bond, Mapping):
            return "SaM (arXiv 2506.22813): experts of other domains chosen and merged"
        kind = _KINDS[str(self.run.get("model", "tagger"))]
        if not bond["self_training"]:
            return f"plain training of {kind}"
        name = "BOND-MoE (arXiv 2404.19192)" if bond["experts"] != 1 else "BOND (KDD 2020)"
        return f"{name}, {kind}"


def installed_versions() -> dict[str, str]:
    """Versions of the packages that decide what a model is."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return versions


def _base_model(encoder: str) -> str | None:
    """The encoder's name on the hub, if it can have one."""
    if encoder == "minilm":
        return "sentence-transformers/all-MiniLM-L6-v2"
    named = re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", encoder) and not Path(encoder).exists()
    return encoder if named else None


_TEMPLATE = """\
---
library_name: convener
pipeline_tag: token-classification
license: {{ card.licence | tojson }}
{%- if base_model %}
base_model: {{ base_model }}
{%- endif %}
tags:
- named-entity-recognition
- convener
{%- if not card.run.adapt and card.run.bond.self_training %}
- distant-supervision
{%- endif %}
---

# A model that recognises {{ labels | join(", ") }}

| | |
|---|---|
| recipe | {{ card.recipe }} |
| encoder | `{{ card.encoder }}` |
{%- if card.run.adapt %}
{%- for kind, names in card.run.chosen.items() %}
| experts merged, by {{ kind }} | {{ names | join(", ") }} |
{%- endfor %}
| target documents, unlabelled | {{ card.documents }} |
| target text, SHA-256 | `{{ card.data_sha256 }}` |
{%- else %}
{%- if card.distilled %}
| experts | 1, taught by {{ card.distilled.experts }} on {{ card.distilled.documents }} documents |
{%- else %}
| experts | {{ experts }} |
{%- endif %}
| training documents | {{ card.documents }} in {{ card.groups }} groups |
{%- for type, count in card.types.items() %}
| training entities, {{ type }} | {{ count }} |
{%- endfor %}
{%- for source, count in card.sources.items() %}
| labels by {{ source }} | {{ count }} |
{%- endfor %}
{%- if card.left_out %}
| labels left out by abstention | {{ card.left_out }} |
{%- endif %}
| training data, SHA-256 | `{{ card.data_sha256 }}` |
| seed | {{ card.run.seed }} |
{%- endif %}
| F1 on the dev set | {{ "none was given" if card.dev_f1 is none else card.dev_f1 }}
{%- if card.dev_interval %} (95 % interval {{ card.dev_interval | join(" to ") }}){% endif %} |
{%- if card.calibration_error %}
| temperature of scores | {{ card.temperature }} |
| calibration error on the dev set, before and after | {{ card.calibration_error | join(", ") }} |
{%- endif %}
{%- for name, number in card.versions.items() %}
| {{ name }} | {{ number }} |
{%- endfor %}

## Limits

{% if card.run.adapt -%}
Nothing was trained for this domain: experts of other domains were chosen by their likeness to its
text and by how far they agree on it, and their weights were merged. Score it on text that a person
labelled before you rely on it.
{%- elif card.run.bond.self_training -%}
The labels came from a dictionary or another distant source, so they were incomplete and noisy.
Scores on such labels say little; score the model on text that a person labelled.
{%- else -%}
The model was trained plainly on the labels it was given.
{%- endif %}
It knows the types above and no others{% if flat %}, and finds no entity inside another{% endif %}.
{%- if not card.run.adapt %}
{%- if card.dev_f1 is none %}
No dev set chose among the states of the run, and no score is known.
{%- elif card.run.model == "generator" %}
The dev set chose nothing.
{%- else %}
The dev set also chose among the states of the run, so the score on it is somewhat too high.
{%- endif %}
{%- endif %}
On text of another kind or language than it was made from, expect less.

## Use

```python
from convener import load

ner = load("path/to/this/folder")  # or its name on the hub
ner.predict("Some text.")
```

{% if card.run.adapt -%}
`run.json` holds the rankings behind the choice.
{%- else -%}
`run.json` repeats the run{% if card.distilled %} that made the panel which taught it{% endif %}:
`convener train DATA --config run.json -o MODEL`.
{%- endif %}
"""


def render(card: Card, labels: Sequence[str], experts: int) -> str:
    """The card as Markdown, with the front matter that model hubs read.

    A run with dev may keep fewer `experts` than it was asked for.
    """
    environment = Environment(autoescape=False, keep_trailing_newline=True)
    return environment.from_string(_TEMPLATE).render(
        card=card,
        labels=labels,
        experts=experts,
        base_model=_base_model(card.encoder),
        flat=card.run.get("model") == "tagger",
    )
