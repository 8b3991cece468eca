"""What can be said of a table before it is fitted, and which columns a singular matrix blames."""

from __future__ import annotations

import numpy as np
import pytest
import references
from hypothesis import given
from tables import SEEDS, correlated, latent, tame

from emimpute.identification import examine, null_space

NA = np.nan


def named(x):
    """The findings that decide something, as (name, coordinates)."""
    return [(f.name, f.coordinates) for f in examine(latent(np.asarray(x, dtype=float))) if f.flat or f.unbounded]


def ordinary(n=30, d=3, seed=0):
    return correlated(np.random.default_rng(seed), n, d)


@pytest.mark.parametrize("name", references.cases("ml"))
def test_no_false_alarm_on_tables_whose_ml_exists(name):
    assert named(references.load(name).frame.to_numpy(dtype=float)) == []


@given(tame())
def test_no_false_alarm_on_ordinary_tables(x):
    assert named(x) == []


@pytest.mark.parametrize(("n", "found"), [(2, True), (3, True), (4, False)])
def test_too_few_rows(n, found):
    """Up to d rows some plane passes through all, and the likelihood has no bound."""
    x = np.vstack([ordinary(n), np.full((5, 3), NA)])  # rows that say nothing do not count
    assert (named(x) == [("fewer rows than columns", (0, 1, 2))]) is found


def test_fewer_rows_than_columns_is_unbounded():
    (finding,) = [f for f in examine(latent(ordinary(3))) if f.name == "fewer rows than columns"]
    assert finding.unbounded
    assert not finding.flat


def test_never_observed_together():
    x = ordinary(40, 4)
    x[:20, 1], x[20:, 3] = NA, NA
    assert named(x) == [("never observed together", (1, 3))]
    (finding,) = [f for f in examine(latent(x)) if f.flat]
    assert not finding.unbounded


def test_a_pair_seen_together_once_is_thin_and_no_more():
    x = ordinary(40, 2)
    x[:20, 0], x[21:, 1] = NA, NA
    (finding,) = examine(latent(x))
    assert (finding.name, finding.coordinates) == ("thin pair", (0, 1))
    assert not finding.flat
    assert not finding.unbounded


def test_no_variation_together():
    """One column is seen only where another stands still, so that nothing says how the two go together."""
    x = ordinary(30, 2)
    x[:12, 0] = 1.5
    x[12:, 1] = NA
    assert named(x) == [("no variation together", (1, 0))]
    x[3, 0] = 1.6
    assert named(x) == []


def test_the_likelihood_is_flat_where_there_is_no_variation_together():
    """Another slope of y on x, with the mean that goes with it, is as likely."""
    from emimpute.models.mvn import MVN, Normal  # noqa: PLC0415 (the claim is about the model)

    x = ordinary(30, 2)
    x[:12, 0], x[12:, 1] = 0.0, NA
    problem = MVN().bind(latent(x))
    logliks = []
    for slope in (-0.3, 0.0, 0.4):
        at = (0.0 - problem.centre[0]) / problem.scale[0]
        mean = np.array([0.2, 0.1 + slope * (0.2 - at)])
        cov = np.array([[1.2, 1.2 * slope], [1.2 * slope, 0.7 + 1.2 * slope**2]])
        logliks.append(problem.expect(Normal(mean, cov))[1])
    np.testing.assert_allclose(logliks, logliks[0], rtol=1e-12)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (-2.5, 7.0), (1e6, 0.0), (1e-6, 3e-5)])
def test_duplicates(factor, shift):
    """The same column in other units, wherever both are seen."""
    x = ordinary(200, 3)
    x[:, 2] = factor * x[:, 0] + shift
    x[::7, 0], x[3::5, 2] = NA, NA
    assert named(x) == [("duplicates", (0, 2))]
    x[199, 2] += 1e-6 * abs(factor)
    x[199, 0] = 0.3
    assert named(x) == []


def test_a_duplicate_in_the_first_rows_only_is_none():
    x = ordinary(1000, 2)
    x[:600, 1] = 2 * x[:600, 0]
    assert named(x) == []


def test_constant_columns_are_no_duplicates():
    x = ordinary(30, 3)
    x[:, 1:] = [2.0, 3.0]
    assert named(x) == []


@given(SEEDS.map(np.random.default_rng))
def test_findings_do_not_depend_on_units(rng):
    x = correlated(rng, 12, 4)
    x[:, 3] = x[:, 0]
    x[rng.random(x.shape) < 0.4] = NA
    x[0] = np.where(np.isnan(x[0]), 0.5, x[0])
    scale = rng.choice([-1e6, -1.0, 1e-6], 4)
    one, other = examine(latent(x)), examine(latent(x * scale))
    assert [(f.name, f.coordinates) for f in one] == [(f.name, f.coordinates) for f in other]


# Null space ----------------------------------------------------------------------------------------------------------


def covariance(x):
    return np.cov(np.asarray(x).T, ddof=0)


def test_one_dependency_names_its_columns():
    x = ordinary(50, 5)
    x[:, 4] = x[:, 1] - 2 * x[:, 3]
    assert [tuple(sorted(g)) for g in null_space(covariance(x), 1e-10)] == [(1, 3, 4)]


def test_two_dependencies_are_told_apart():
    x = ordinary(50, 7)
    x[:, 5] = x[:, 0] + x[:, 2]
    x[:, 6] = 3 * x[:, 1] - x[:, 4]
    assert sorted(null_space(covariance(x), 1e-10)) == [(0, 2, 5), (1, 4, 6)]


def test_units_do_not_hide_a_dependency():
    x = ordinary(50, 4)
    x[:, 3] = x[:, 0] + x[:, 1]
    assert null_space(covariance(x * [1e6, 1.0, 1e-6, 1e3]), 1e-10) == [(0, 1, 3)]


def test_a_regular_matrix_blames_nobody():
    assert null_space(covariance(ordinary(50, 4)), 1e-10) == []


def test_a_column_without_variance_is_blamed_alone():
    cov = np.diag([1.0, 0.0, 2.0])
    assert null_space(cov, 1e-10) == [(1,)]
