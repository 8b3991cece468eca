"""Every notebook runs from its first cell to its last, on either pandas: on the newest, ``make docs`` runs them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
SITE = FOLDER.parent / "docs"
# Pages of docs/ may be notebooks too, where they show pictures.
PAGES = sorted(path for path in SITE.glob("*.md") if "{code-cell}" in path.read_text(encoding="utf-8"))
NEWEST = int(pd.__version__.split(".")[0]) >= 3

HEAD = """\
---
file_format: mystnb
kernelspec:
  name: python3
  display_name: Python 3
---
"""
CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
TAGS = re.compile(r"\A(?::[^\n]*\n)+\n?|\A---\n.*?^---\n", re.MULTILINE | re.DOTALL)  # options of a cell


def cells_of(text: str) -> list[str]:
    """The code of each cell, at its own lines, so that a traceback names them."""
    cells = []
    for cell in CELL.finditer(text):
        code = TAGS.sub(lambda options: "\n" * options[0].count("\n"), cell[2])
        cells.append("\n" * (text.count("\n", 0, cell.start()) + 1) + code)
    return cells


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS + PAGES, ids=lambda path: path.stem)
def test_its_head_makes_it_a_notebook(path):
    """Without it the page would be shown, and its cells not run."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(HEAD)
    assert len(cells_of(text)) == text.count("{code-cell}") > 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_can_be_found(path):
    """By readers of the folder, and of the site."""
    assert f"]({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"\nbrought/{path.stem}\n" in (SITE / "tutorials.md").read_text(encoding="utf-8")


@pytest.mark.skipif(NEWEST, reason="make docs runs the notebooks on the newest pandas")
@pytest.mark.parametrize("path", NOTEBOOKS + PAGES, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="some draw pictures")
    monkeypatch.chdir(tmp_path)
    notebook = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)  # where pickle looks for its classes
    try:
        for code in cells_of(path.read_text(encoding="utf-8")):
            exec(compile(code, str(path), "exec"), vars(notebook))  # noqa: S102 (that is the test)
            pyplot.close("all")  # as a notebook does when it has shown them
    finally:
        pyplot.close("all")


def test_cells_are_found():
    text = (
        'Words.\n\n```{code-cell}\n:tags: [hide-input]\n\nx = 1\n```\n\n```{code-cell} python\nassert x == "y"\n```\n'
    )
    cells = cells_of(text)
    assert [cell.strip() for cell in cells] == ["x = 1", 'assert x == "y"']
    assert [cell.count("\n", 0, len(cell) - len(cell.lstrip())) for cell in cells] == [5, 9]
