"""The model card: what a model was made from and how well it did, for people and for programs."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from jinja2 import Environment
from pydantic import BaseModel, ConfigDict

PACKAGES = ("convener", "torch", "transformers", "tokenizers", "accelerate")


class Card(BaseModel):
    """Provenance of a model; `run` is its configuration, `history` the figures of each round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str
    documents: int
    groups: int
    data_sha256: str
    dev_f1: float | None
    versions: dict[str, str]
    run: dict[str, object]
    history: list[dict[str, object]]


def installed_versions() -> dict[str, str]:
    """Versions of the packages that decide what a model is."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return versions


_TEMPLATE = """\
---
library_name: convener
pipeline_tag: token-classification
base_model: {{ card.encoder }}
---

# A panel that recognises {{ labels | join(", ") }}

| | |
|---|---|
| encoder | `{{ card.encoder }}` |
{%- if card.run.adapt %}
{%- for kind, names in card.run.chosen.items() %}
| experts merged, by {{ kind }} | {{ names | join(", ") }} |
{%- endfor %}
| target documents, unlabelled | {{ card.documents }} |
| target text, SHA-256 | `{{ card.data_sha256 }}` |
{%- else %}
| experts | {{ card.run.bond.experts }} |
| training documents | {{ card.documents }} in {{ card.groups }} groups |
| training data, SHA-256 | `{{ card.data_sha256 }}` |
| seed | {{ card.run.seed }} |
{%- endif %}
| F1 on the dev set | {{ "none was given" if card.dev_f1 is none else card.dev_f1 }} |
{%- for name, number in card.versions.items() %}
| {{ name }} | {{ number }} |
{%- endfor %}

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

```python
from convener import load

ner = load("path/to/this/folder")
ner.predict("Some text.")
```

{% if card.run.adapt -%}
`run.json` holds the rankings behind the choice.
{%- else -%}
`run.json` repeats the run: `convener train DATA --config run.json -o MODEL`.
{%- endif %}
"""


def render(card: Card, labels: Sequence[str]) -> str:
    """The card as Markdown, with the front matter that model hubs read."""
    environment = Environment(autoescape=False, keep_trailing_newline=True)
    return environment.from_string(_TEMPLATE).render(card=card, labels=labels)
