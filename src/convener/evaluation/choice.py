"""A page about a choice of experts: where domains lie, how experts rank, what the result answers.

One self-contained HTML file; everything that users wrote is escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jinja2 import Environment, StrictUndefined

from convener.text.documents import Document

CORNER, ROOM = np.array([40, 30]), np.array([420, 300])


@dataclass(frozen=True, slots=True)
class Choice:
    """Rankings (name, score, spread) by kind, the names chosen by each, places on the map."""

    rankings: Mapping[str, Sequence[tuple[str, float, float]]]
    chosen: Mapping[str, Sequence[str]]
    places: Mapping[str, tuple[float, float]]
    target: tuple[float, float]


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Experts for a new domain</title>
<style>
:root { color-scheme: light dark; --line: #8886; --mark: #2a6fdb; --target: #c2410c; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; border: 1px solid var(--line); border-radius: .4rem; }
svg text { font-size: 13px; fill: currentColor; }
mark { background: #2a6fdb33; color: inherit; border-radius: .2rem; padding: 0 .15rem; }
mark small { opacity: .8; }
</style>
</head>
<body>
<h1>Experts for a new domain</h1>
<p>{% for kind, names in choice.chosen.items() %}By {{ kind }}: <strong>{{ names | join(", ") }}
</strong>. {% endfor %}Each selection was merged into one model without training.</p>
<h2>Where the domains lie</h2>
<svg viewBox="0 0 600 360" role="img" aria-label="Map of domains by mean sentence embedding">
{%- for name, (x, y), kind in points %}
<circle cx="{{ x }}" cy="{{ y }}" r="{{ 7 if kind == 'target' else 5 }}" fill="var(--{{ kind }})"/>
<text x="{{ x + 9 }}" y="{{ y + 4 }}">{{ name }}</text>
{%- endfor %}
</svg>
{% for kind, ranking in choice.rankings.items() %}
<table>
<caption>By {{ kind }}</caption>
<tr><th scope="col">expert</th><th scope="col">score</th><th scope="col">spread</th>
<th scope="col"></th></tr>
{%- for name, score, spread in ranking %}
<tr><th scope="row">{{ name }}</th><td class="number">{{ "%.3f" | format(score) }}</td>
<td class="number">{{ "%.3f" | format(spread) }}</td>
<td>{{ "merged" if name in choice.chosen[kind] else "" }}</td></tr>
{%- endfor %}
</table>
{% endfor %}
<h2>What the model answers</h2>
{% for pieces in answers %}
<p>{% for text, label in pieces %}{% if label %}<mark>{{ text }} <small>{{ label }}</small></mark>
{%- else %}{{ text }}{% endif %}{% endfor %}</p>
{% endfor %}
</body>
</html>
"""


def render(choice: Choice, answers: Sequence[Document]) -> str:
    """The page, with the model's answers to some sentences."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_PAGE).render(
        choice=choice,
        points=_on_canvas(choice),
        answers=[_pieces(document) for document in answers],
    )


def _on_canvas(choice: Choice) -> list[tuple[str, tuple[int, int], str]]:
    """Name, place and kind of the experts and of the target."""
    points = [*choice.places.values(), choice.target]
    lowest, highest = np.min(points, axis=0), np.max(points, axis=0)
    size = np.where(highest > lowest, highest - lowest, 1)
    scaled = np.rint(CORNER + ROOM * (points - lowest) / size).astype(int).tolist()
    names = [(name, "mark") for name in choice.places] + [("the target", "target")]
    return [(name, (x, y), kind) for (name, kind), (x, y) in zip(names, scaled, strict=True)]


def _pieces(document: Document) -> list[tuple[str, str]]:
    """Stretches of the text with their labels; of entities that overlap the first, longest one."""
    pieces: list[tuple[str, str]] = []
    position = 0
    for entity in sorted(document.entities, key=lambda e: (e.start, -e.end)):
        if entity.start >= position:
            pieces.append((document.text[position : entity.start], ""))
            pieces.append((document.surface(entity), entity.label))
            position = entity.end
    return [*pieces, (document.text[position:], "")]
