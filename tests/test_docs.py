"""Every page of docs/ is run, block by block, as README.md is: a page in one namespace and one temporary directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_readme import blocks_of, run_page

from emimpute.kinds import registry

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("**/*.md"))
CODE = {"python", "console", "sh", "bash"}


@pytest.fixture(autouse=True)
def _as_it_was():
    """A page may register a kind."""
    before = list(registry._entries)
    yield
    registry._entries[:] = before


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_runs(page, tmp_path, monkeypatch):
    """What a page shows works, and prints what the page says it prints."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert run_page(text, page) == sum(block.language in CODE for block in blocks_of(text))


def test_the_page_on_watching_shows_code():
    """It is the way to watch or steer that users are told of."""
    (page,) = [page for page in PAGES if page.stem == "watching"]
    code = "".join(block.text for block in blocks_of(page.read_text(encoding="utf-8")) if block.language == "python")
    assert "in emimpute.em.iterates(problem" in code
    assert "progress=" in code
