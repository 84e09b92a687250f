"""The house: imports only go down, and files stay small enough to read."""

import ast
import itertools
import re
import tomllib
from pathlib import Path

import pytest

import convener

SOURCE = Path(convener.__file__).parent
PROJECT = SOURCE.parents[1]
FLOORS = (
    {"errors", "files", "processes"},
    {"text"},
    {"dictionary"},
    {"evaluation"},
    {"models"},
    {"training"},
    {"panel"},
    {"recipes"},
    {"inference"},
    {"api"},
    {"experts"},
    {"serving", "integrations"},
    {"demo"},
    {"cli", "__main__"},
)
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def imports(path: Path) -> set[str]:
    """The modules that a file imports, at its top or inside, but for those seen by types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    """The first part of a module's name below the package."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_only_go_down(path: Path) -> None:
    names = [f"{name}..".split(".") for name in imports(path)]
    own = [inner for package, inner, *_ in names if package == "convener"]
    whole = HEIGHT["api"]
    assert not {name for name in own if HEIGHT.get(name, whole) > HEIGHT[room(path)]}


@pytest.mark.parametrize("name", ["text", "dictionary"])
def test_text_and_dictionary_know_no_model(name: str) -> None:
    for path in (SOURCE / name).rglob("*.py"):
        roots = {module.split(".")[0] for module in imports(path)}
        assert not roots & {"torch", "transformers", "accelerate", "safetensors"}


def test_the_panel_knows_no_kind_of_expert() -> None:
    for name in ("panel", "joint", "assignment", "selection"):
        of_models = {
            imported.split(".")[2]
            for imported in imports(SOURCE / "panel" / f"{name}.py")
            if imported.startswith("convener.models.")
        }
        assert of_models <= {"expert", "layout", "stacked"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_short_and_say_why_they_exist(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    assert len(content.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(content))


def test_every_dependency_is_pinned() -> None:
    pins = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *itertools.chain(*project["optional-dependencies"].values()),
    ]
    names = {re.split(r"[\[><=]", requirement)[0].lower() for requirement in wanted}
    assert names <= {pin.split("==")[0].lower() for pin in pins}
    assert "torch==2.13.0" in pins


def test_the_package_shows_what_it_has() -> None:
    assert set(convener.__all__) <= set(dir(convener))
    typed = (SOURCE / "__init__.py").read_text(encoding="utf-8").partition("_LAZY")[0]
    assert all(re.search(rf"import .*\b{name}\b", typed) for name in convener.__all__)
