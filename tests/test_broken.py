"""What once broke, each in the smallest form that showed it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute.errors import ColumnError
from emimpute.kinds import brackets
from emimpute.kinds.registry import choose
from emimpute.normal.ep import boxed


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT], ids=repr)
@pytest.mark.parametrize(("answers", "kind"), [("ab", "binary"), ("abc", "nominal")])
def test_text_is_text_whatever_stands_for_its_gaps(gap, answers, kind):
    """NaT among text was taken for a value, and the column left alone."""
    text = pd.Series([*answers * 10, gap, gap], dtype=object)
    assert choose(text).name == kind
    done = pd.DataFrame({"x": np.arange(len(text)) % 7, "q": text}).em.impute(prior=1)
    assert set(done["q"]) <= set(answers)


@pytest.mark.parametrize("dtype", ["float64", "Float64", "float64[pyarrow]", object])
def test_bounds_at_the_ends_of_the_line_are_none(dtype):
    """As ``pd.Interval`` has them; infinity at the wrong end stays an error."""
    lower = pd.Series([-np.inf, 10.0, -np.inf, 5.0], name="from").astype(dtype)
    upper = pd.Series([10.0, np.inf, np.inf, 5.0], name="to").astype(dtype)
    assert brackets(lower, upper).dropna().tolist() == [
        pd.Interval(low, high, closed="both") for low, high in [(-np.inf, 10), (10, np.inf), (5, 5)]
    ]
    with pytest.raises(ColumnError, match="'to' holds infinity in 2 rows"):
        brackets(upper, lower)


@pytest.mark.parametrize("width", [1e-4, 1e-7, 1e-10, 1e-13])
def test_narrow_intervals_settle(width):
    """Their mismatch is rounding of where they are, however many of their own sd that is."""
    rng = np.random.default_rng(0)
    lower = rng.normal(size=(500, 2)) + 1
    lower[:, 1] = -np.inf
    upper = np.column_stack([lower[:, 0] + width, np.ones(500)])
    cov = np.broadcast_to(np.array([[1, 0.6], [0.6, 1]]), (500, 2, 2))
    found = boxed(np.zeros((500, 2)), cov, lower, upper)
    assert found.settled.all()
    assert (abs(found.mean[:, 0] - lower[:, 0] - width / 2) <= width / 2 + 1e-15).all()
    alone = boxed(np.zeros((500, 1)), np.ones((500, 1, 1)), lower[:, :1], upper[:, :1])
    assert alone.settled.all()


def test_narrow_brackets_are_as_good_as_points():
    """Incomes to the unit, as large as millions: no warning, and what points give."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=300)
    income = np.round(5e7 + 2e7 * (0.7 * x + 0.7 * rng.normal(size=300)))
    given = pd.Series(income).mask(rng.random(300) < 0.1)
    fit = emimpute.fit(pd.DataFrame({"x": x, "income": brackets(given - 0.5, given + 0.5)}))
    points = emimpute.fit(pd.DataFrame({"x": x, "income": given}))
    assert fit.problems.empty
    np.testing.assert_allclose(fit.corr, points.corr, atol=1e-6)
