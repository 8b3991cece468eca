"""The arrows between the rooms, read from the imports.

``ROOMS`` is the whole rule. A module belongs to the longest name in the table that it starts with; it may import its
own room, ``errors``, and what its line says. Imports inside functions count, for they run; those under
``if TYPE_CHECKING:`` do not. And no import at all may need a distribution which pyproject.toml does not declare.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.util import resolve_name
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROOMS = {
    # room: (the rooms it may import, the libraries it may import)
    "emimpute": (
        (
            "_impute datasets inference.drawing.imputations inference.pooling.pool inference.standing.ratio interfaces "
            "kinds mechanism missingness models results testing"
        ),
        "pandas",
    ),
    "__main__": ("interfaces", ""),
    "interfaces": ("emimpute _impute datasets kinds mechanism missingness plots results", "numpy pandas pyarrow"),
    "interfaces.survey": ("_frames _impute interfaces.files", "numpy pandas pyreadstat"),
    "interfaces.dask": ("emimpute _impute results", "numpy pandas dask"),
    "interfaces.sklearn": (
        "_impute _frames inference.complete inference.drawing.keyed interfaces.tables kinds results",
        "numpy pandas sklearn",
    ),
    "sklearn": ("interfaces.sklearn", ""),
    # of a Fit it sees what users see
    "plots": ("_frames em kinds.reading missingness", "numpy pandas scipy matplotlib"),
    "_impute": ("_frames apart binding choosing learning table kinds latent models inference results", "numpy pandas"),
    "apart": ("_frames choosing learning kinds inference results", "numpy pandas"),
    "learning": (
        "_frames _threads binding choosing identification table kinds latent models em inference results",
        "numpy pandas",
    ),
    "binding": ("em models", ""),
    "choosing": ("_frames kinds results table", "numpy pandas"),
    "results": ("_frames table inference em models latent kinds.base plots", "numpy pandas scipy"),
    "results.persist": (
        "results table inference em models kinds.base kinds.registry",
        "numpy pandas",
    ),  # restores by name
    "results.page": (
        (
            "_frames table inference em models latent kinds.base kinds.levels kinds.printing kinds.reading "
            "kinds.writing mechanism results"
        ),
        "numpy pandas",
    ),  # the MCAR test is asked for inside a function
    "results.progress": ("results em", "tqdm"),
    "table": ("_frames latent kinds.base kinds.encoded", "numpy pandas"),
    "inference": (
        "_frames _threads table em models normal latent kinds.base kinds.encoded kinds.reading",
        "numpy pandas scipy statsmodels",
    ),
    "missingness": ("_frames kinds.reading latent", "numpy pandas"),
    "mechanism": (
        "_frames choosing learning table kinds latent em models inference results",
        "numpy pandas scipy",
    ),
    "identification": ("latent", "numpy"),
    "models": ("latent normal", "numpy scipy"),
    "normal": ("", "numpy scipy"),
    "latent": ("", "numpy"),
    "em": ("", "numpy"),
    "kinds": ("normal", "numpy pandas scipy pyarrow"),
    "_threads": ("", "threadpoolctl"),
    "_frames": ("", "numpy pandas pyarrow"),
    "datasets": ("", "pandas"),
    "testing": ("kinds models em latent", "numpy pandas"),
    "errors": ("", "pandas"),
}
SLOW_TO_LOAD = ("scipy", "statsmodels", "sklearn", "matplotlib", "pyarrow", "dask", "tqdm")
IMPORT_NAMES = {"scikit-learn": "sklearn"}  # distributions whose import has another name


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path for path in sorted((ROOT / "emimpute").rglob("*.py"))}


@dataclass(frozen=True)
class Import:
    target: str  # dotted and absolute; a module where we know that it is one
    line: int
    runs: bool  # False under ``if TYPE_CHECKING:``


class Imports(ast.NodeVisitor):
    """Gathers what a module imports, wherever it does."""

    def __init__(self, module: str, *, is_package: bool) -> None:
        self.package = module if is_package else module.rpartition(".")[0]
        self.found: list[Import] = []
        self.runs = True

    def note(self, target: str, node: ast.stmt | ast.expr) -> None:
        self.found.append(Import(target, node.lineno, self.runs))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.note(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = resolve_name("." * node.level + (node.module or ""), self.package)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            self.note(inner if inner in SOURCES else base, node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
            self.note(resolve_name(node.args[0].value, self.package), node)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) not in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            self.generic_visit(node)
            return
        before, self.runs = self.runs, False
        for child in node.body:
            self.visit(child)
        self.runs = before
        for child in node.orelse:
            self.visit(child)


def imports_of(module: str, source: str, *, is_package: bool = False) -> list[Import]:
    reader = Imports(module, is_package=is_package)
    reader.visit(ast.parse(source))
    return [each for each in reader.found if each.target.partition(".")[0] not in sys.stdlib_module_names]


def inside(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def room_of(module: str) -> str:
    name = module.removeprefix("emimpute.")
    rooms = [room for room in ROOMS if inside(name, room)]
    assert rooms, f"{module} is in no room: give it a line in ROOMS (tests/test_layers.py), or put it where it belongs"
    return max(rooms, key=len)


def complaints(module: str, imports: list[Import]) -> list[str]:
    """A sentence per import that goes against an arrow."""
    room = room_of(module)
    rooms, libraries = (words.split() for words in ROOMS[room])
    said = []
    for each in imports:
        if inside(each.target, "emimpute"):
            target = each.target.removeprefix("emimpute.")
            fine = any(inside(target, allowed) for allowed in (room, "errors", *rooms))
        else:
            target = each.target
            fine = target.partition(".")[0] in libraries
        if each.runs and not fine:
            allowed = ", ".join((*rooms, *libraries)) or "nothing"
            said.append(f"{module}, line {each.line}: imports {target}; {room} may import {allowed}")
    return said


def declared() -> set[str]:
    """Import names of all that pyproject.toml declares for users, extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = chain(project["dependencies"], *project.get("optional-dependencies", {}).values())
    names = {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in requirements}
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def imports_in(module: str) -> list[Import]:
    path = SOURCES[module]
    return imports_of(module, path.read_text(encoding="utf-8"), is_package=path.name == "__init__.py")


@pytest.mark.parametrize("module", SOURCES)
def test_arrows(module):
    """A module imports only what its room may import."""
    said = complaints(module, imports_in(module))
    assert not said, "\n".join(said)


@pytest.mark.parametrize("module", SOURCES)
def test_imports_are_declared(module):
    """Whatever is imported, for types too, is declared in pyproject.toml."""
    known = declared() | {"emimpute"}
    unknown = [each for each in imports_in(module) if each.target.partition(".")[0] not in known]
    assert not unknown, f"{module} imports what pyproject.toml does not declare: {unknown}"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("emimpute.em.loop", "import pandas as pd"),
        ("emimpute.em.loop", "from pandas.api import types"),
        ("emimpute.latent", "import scipy.linalg"),
        ("emimpute.models.mvn", "from emimpute.em.loop import iterates"),
        ("emimpute.models.mvn", "from ..em import loop"),
        ("emimpute.models.mvn", "from emimpute import em"),
        ("emimpute.results.fit", "from emimpute.kinds import registry"),
        ("emimpute.kinds.real", "def f():\n    import sklearn"),
        ("emimpute._impute", "import importlib\nplt = importlib.import_module('matplotlib.pyplot')"),
        ("emimpute.errors", "if TYPE_CHECKING:\n    import numpy\nelse:\n    import scipy"),
    ],
)
def test_a_wrong_import_is_seen(module, source):
    """The reader sees through aliases, relative imports, functions, and the other branch of TYPE_CHECKING."""
    assert len(complaints(module, imports_of(module, source))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("emimpute.em.loop", "import math\nimport numpy.linalg\nfrom .stop import Stop\nfrom emimpute import errors"),
        ("emimpute.em.loop", "if TYPE_CHECKING:\n    import pandas as pd\n    from emimpute.models import mvn"),
        ("emimpute.results.fit", "from emimpute.kinds.base import Coding"),
        ("emimpute.interfaces.cli", "from emimpute import _impute, missingness"),
    ],
)
def test_a_right_import_passes(module, source):
    """What the table allows, and what only types need."""
    assert not complaints(module, imports_of(module, source))


def test_a_new_room_needs_a_line():
    """A module in no room is refused with a sentence."""
    with pytest.raises(AssertionError, match=r"emimpute\.cellar is in no room"):
        room_of("emimpute.cellar")


def python(code: str) -> str:
    """What a fresh Python prints."""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_loads_nothing_slow():
    """``import emimpute`` loads none of the slow libraries beyond what ``import pandas`` itself has loaded."""
    loaded = python("import sys, pandas; before = set(sys.modules); import emimpute; print(*set(sys.modules) - before)")
    assert "emimpute.errors" in loaded.split()
    assert not sorted(name for name in loaded.split() if name.partition(".")[0] in SLOW_TO_LOAD)


def test_import_needs_nothing_slow():
    """``import emimpute`` works where none of them can be imported: pandas may have hidden an import of ours."""
    python(f"import sys; sys.modules.update(dict.fromkeys({SLOW_TO_LOAD})); import emimpute")
