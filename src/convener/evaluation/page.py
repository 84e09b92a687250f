"""A plain page of headings, notes and tables in one self-contained HTML file.

It loads nothing and runs nothing; everything that users wrote is escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.25rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .9rem .25rem 0; text-align: left;
 vertical-align: top; overflow-wrap: break-word; }
td.number { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
mark { background: #2a6fdb33; color: inherit; border-radius: .2rem; padding: 0 .15rem; }
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
{% for line in lead %}<p>{{ line }}</p>
{% endfor %}
{%- for section in sections if section.rows %}
<section>
<h2>{{ section.heading }}</h2>
<p>{{ section.note }}</p>
{% if section.figures %}<div class="wide">{% for figure in section.figures %}{{ figure }}
{% endfor %}</div>
{% endif -%}
<div class="wide"><table>
<thead><tr>{% for name in section.columns %}<th scope="col"
{%- if section.rows[0][loop.index0] is number %} class="number"{% endif %}>{{ name }}</th>
{%- endfor %}</tr></thead>
<tbody>
{%- for row in section.rows %}
<tr>{% for cell in row %}<td{% if cell is number %} class="number"{% endif %}>
{%- if cell is string or cell is number %}{{ cell }}
{%- else %}{% for before, match, after in cell -%}
<div>{{ before }}<mark>{{ match }}</mark>{{ after }}</div>
{%- endfor %}{% endif %}</td>{% endfor %}</tr>
{%- endfor %}
</tbody>
</table></div>
</section>
{%- endfor %}
</main>
</body>
</html>
"""

Example = tuple[str, str, str]
Cell = str | int | float | Sequence[Example]


@dataclass(frozen=True, slots=True)
class Section:
    """A table under a heading; a cell may hold examples: text before, a match, text after.

    `figures` stand above it. A section without rows is left out.
    """

    heading: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    figures: Sequence[Markup] = ()


def render(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """The page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(_PAGE)
    return template.render(title=title, lead=lead, sections=sections)
