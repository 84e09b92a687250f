"""Line charts as SVG: a few lines over the same points, to stand in a page or alone.

A chart loads and runs nothing. Up to four lines differ in mark and in colour, up to sixteen in one
of the two, and its greys can be read on white and on black.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

WIDTH, HEIGHT = 340, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 46, 28
_KEY, _KEY_ROW = 29, 15
_COLOURS = ("#3f6fd1", "#c2571a", "#17806d", "#8a2f86")
_MARKS = (
    "M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0",
    "M-3,-3h6v6h-6z",
    "M0,-4.5L4.5,0L0,4.5L-4.5,0z",
    "M0,-4.5L4,3.5H-4z",
)
_CHART = """\
<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {{ width }} {{ height }}" \
width="{{ width }}" height="{{ height }}" font-family="system-ui, sans-serif" font-size="11">
<title>{{ title }}</title>
<text x="0" y="13" fill="#767d87" font-size="13" font-weight="600">{{ title }}</text>
{%- for text, y in ticks %}
<path d="M{{ left }},{{ y }}H{{ right }}" stroke="#8886" stroke-width="0.5"/>
<text x="{{ left - 6 }}" y="{{ y + 4 }}" fill="#767d87" text-anchor="end">{{ text }}</text>
{%- endfor %}
{%- for text, x in columns %}
<text x="{{ x }}" y="{{ bottom + 18 }}" fill="#767d87" text-anchor="middle">{{ text }}</text>
{%- endfor %}
{%- for line in lines %}
{%- set across, down = line.key %}
<g fill="{{ line.colour }}" stroke="{{ line.colour }}">
<path d="{{ line.path }}" fill="none" stroke-width="1.75"/>
{%- for x, y in line.points %}
<path d="{{ line.mark }}" transform="translate({{ x }},{{ y }})" stroke="none"/>
{%- endfor %}
{%- if line.name %}
<path d="{{ line.mark }}" transform="translate({{ across + 5 }},{{ down }})" stroke="none"/>
{%- endif %}
</g>
{%- if line.name %}
<text x="{{ across + 13 }}" y="{{ down + 4 }}" fill="#767d87">{{ line.name }}</text>
{%- endif %}
{%- endfor %}
</svg>
"""

_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}">
{2}</svg>
"""


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    colour: str
    mark: str
    path: str
    points: Sequence[tuple[float, float]]
    key: tuple[float, float]


def line_chart(
    title: str,
    columns: Sequence[str],
    lines: Mapping[str, Sequence[float | None]],
    bounds: tuple[float, float] | None = None,
) -> Markup:
    """An SVG of lines by name, with a value, or None, for each column.

    `bounds` are the lowest and highest value of the scale, left open those of the lines.
    """
    values = [value for line in lines.values() for value in line if value is not None]
    steps = _steps(*(bounds or (min(values), max(values))))
    low, high = steps[0], steps[-1]
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    keys = _keys(lines)
    top = keys[-1][1] + _TOP - _KEY

    def across(index: int) -> float:
        return round(_LEFT + (right - _LEFT) * (index + 0.5) / len(columns), 1)

    def up(value: float) -> float:
        return round(bottom - (bottom - top) * (value - low) / (high - low), 1)

    ticks = [(f"{step:g}", up(step)) for step in steps]
    texts = [(text, across(i)) for i, text in enumerate(columns)]
    drawn = list[_Line]()
    for number, (name, line) in enumerate(lines.items()):
        turn, kind = divmod(number, len(_COLOURS))
        colour, mark = _COLOURS[kind], _MARKS[(kind + turn) % len(_MARKS)]
        points = [(across(i), up(value)) for i, value in enumerate(line) if value is not None]
        path = "M" + "L".join(f"{x},{y}" for x, y in points)
        drawn.append(_Line(name, colour, mark, path, points, keys[number]))
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    scale = {"width": WIDTH, "height": HEIGHT, "left": _LEFT, "right": right, "bottom": bottom}
    chart = environment.from_string(_CHART)
    return Markup(chart.render(title=title, ticks=ticks, columns=texts, lines=drawn, **scale))


def _keys(names: Iterable[str]) -> list[tuple[float, float]]:
    """Where the names of lines stand above the chart, in as many rows as they need."""
    places: list[tuple[float, float]] = []
    across, down = 0.0, float(_KEY)
    for name in names:
        width = 26 + 6 * len(name)
        if across and across + width > WIDTH:
            across, down = 0.0, down + _KEY_ROW
        places.append((across, down))
        across += width
    return places


def side_by_side(charts: Sequence[Markup], across: int = 2) -> Markup:
    """One SVG of several charts, so many in a row."""
    across = min(across, len(charts))
    rows = math.ceil(len(charts) / across)
    gap = 20
    width, height = across * (WIDTH + gap) - gap, rows * (HEIGHT + gap) - gap
    placed = Markup("").join(
        Markup('<g transform="translate({},{})">\n{}</g>\n').format(
            (number % across) * (WIDTH + gap), number // across * (HEIGHT + gap), chart
        )
        for number, chart in enumerate(charts)
    )
    return Markup(_FRAME).format(width, height, placed)


def _steps(low: float, high: float) -> list[float]:
    """Round values, a few, from below the lowest to above the highest."""
    span = (high - low) or 1.0
    size = 10 ** math.floor(math.log10(span / 4))
    size *= next(factor for factor in (1, 2, 5, 10) if span / (size * factor) <= 5)
    first, last = math.floor(low / size), math.ceil(high / size)
    return [round(step * size, 10) for step in range(first, max(last, first + 1) + 1)]
