"""Every page of docs/ is run, block by block, as README.md is: a page in one namespace and one temporary directory."""

from __future__ import annotations

import inspect
import json
import re
import warnings
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_readme import blocks_of, run_block, run_page

import emimpute
from emimpute.interfaces.accessor import EM
from emimpute.kinds import registry as kinds
from emimpute.models import registry as models

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(path for path in DOCS.glob("**/*.md") if "brought" not in path.relative_to(DOCS).parts)
CODE = {"python", "console", "sh", "bash"}


@pytest.fixture(autouse=True)
def _as_it_was():
    """A page may register a kind, or a model."""
    before, models_before = list(kinds._entries), dict(models._registered)
    yield
    kinds._entries[:] = before
    models._registered.clear()
    models._registered.update(models_before)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).with_suffix("").as_posix())
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


def test_the_model_of_the_page_may_be_flat():
    """Where no two columns are ever observed together, the engine says so of any model, and the fit is told."""
    page = DOCS / "write-your-own-model.md"
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(page.read_text(encoding="utf-8"))[:5]:
        if "class " in block.text or "import " in block.text:
            run_block(block, namespace, page)
    values = np.random.default_rng(0).standard_normal((90, 3))
    apart = pd.DataFrame(np.where(np.arange(90)[:, np.newaxis] % 3 == np.arange(3), values, np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        fit = apart.em.fit(model=namespace["Alike"](), prior=None)
    assert fit.stop is emimpute.em.Stop.FLAT
    assert not fit.converged


def test_the_numbers_of_other_programs_are_theirs():
    """What docs/coming-from.md says that others gave stands in the reference files."""
    text = (DOCS / "coming-from.md").read_text(encoding="utf-8").replace("−", "-")
    said = sorted({abs(float(number)) for number in re.findall(r"\d*\.\d{3,}", text)})

    def shown(numbers, digits):
        """Each, rounded to so many digits after the point."""
        return all(any(abs(abs(number) - one) <= 0.51 * 10**-digits for one in said) for number in numbers)

    reference = DOCS.parent / "tests" / "reference"
    own, fiml = (json.loads((reference / f"analysis/{name}.json").read_text()) for name in ("coming_from", "fiml"))
    nhanes = json.loads((reference / "expected/nhanes.json").read_text())
    pooled = json.loads((reference / "mi/pooling.json").read_text())
    assert shown(nhanes["mu"][1:], 10)
    assert shown([*own["lavaan"]["mean"], *own["lavaan"]["se"]], 7)
    assert shown([*own["amelia"]["estimate"], *own["mice_norm"]["estimate"]], 3)
    assert shown([*own["amelia"]["se"], *own["mice_norm"]["se"]], 3)
    assert shown([nhanes["little"]["chi2"]], 12)
    (slopes,) = [one["fiml_lavaan_slopes"] for one in fiml if one["name"] == "nhanes"]
    assert shown([*slopes["est"], *slopes["se"]], 10)
    (mice,) = [
        each
        for cases in pooled.values()
        if isinstance(cases, list)
        for each in cases
        if each.get("name") == "nhanes_m5"
    ]
    assert shown([number for row in mice["input"]["estimates"] for number in row], 12)
    assert shown([mice["mice_pool"][name][1] for name in ("qbar", "df", "fmi")], 12)
    assert not shown([1.2345678], 7)


DOCUMENTED = {
    name
    for page in DOCS.glob("api/*.md")
    for name in re.findall(r"^\.\. auto\w+:: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("package", ["emimpute", "emimpute.kinds", "emimpute.em", "emimpute.testing"])
def test_the_reference_has_every_public_name(package):
    """Of each package that is to be imported from; of a module its functions."""
    for name in resolve_name(package).__all__:
        found = resolve_name(f"{package}.{name}")
        parts = [f".{part}" for part in found.__all__] if inspect.ismodule(found) else [""]
        assert {f"{package}.{name}{part}" for part in parts} <= DOCUMENTED


def test_the_reference_has_every_method_of_the_accessor():
    """A method of the accessor is the function of its name, and is described there."""
    methods = {name for name, _ in inspect.getmembers(EM, inspect.isfunction) if not name.startswith("_")}
    assert {f"emimpute.{name}" for name in methods} <= DOCUMENTED
    assert "emimpute.interfaces.accessor.EM" in DOCUMENTED


def test_the_reference_has_what_the_methods_of_a_fit_return():
    """Classes of this package that nobody makes by hand, but everybody reads."""
    said = [str(inspect.signature(method)) for _, method in inspect.getmembers(emimpute.Fit, inspect.isfunction)]
    said += [
        str(inspect.signature(method.fget))
        for _, method in inspect.getmembers(emimpute.Fit, inspect.isdatadescriptor)
        if isinstance(method, property)
    ]
    answers = {name for text in said for name in re.findall(r"\b[A-Z]\w+", text.partition("->")[2])}
    answers -= {"Any", "DataFrame", "None", "Series"}
    assert {"Imputations", "Regression"} <= answers
    assert answers <= {name.rpartition(".")[2] for name in DOCUMENTED}
