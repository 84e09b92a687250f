"""The page for people: one self-contained HTML file, made of the parts in `static`.

It loads nothing from elsewhere, and its own style and script are allowed by their hashes alone.
"""

import base64
import hashlib
from importlib.resources import files

from jinja2 import StrictUndefined, Template

from convener.evaluation.report import colours

_STATIC = files("convener.serving") / "static"
_SCRIPTS = (
    "text",
    "draw",
    "server",
    "choosing",
    "reading",
    "compare",
    "asking",
    "patching",
    "page",
)


def _part(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"


_STYLE = colours() + _part("page.css")
_SCRIPT = "\n".join(_part(f"{name}.js") for name in _SCRIPTS)

HTML = Template(_part("page.html.j2"), undefined=StrictUndefined).render(
    style=_STYLE, script=_SCRIPT
)
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; "
        "img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
