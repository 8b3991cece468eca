"""Boxes by expectation propagation: exact in one and two coordinates, close to quasi-Monte Carlo in more."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import INF, equicorrelated

from emimpute.normal import pairs
from emimpute.normal.bivariate import rectangle
from emimpute.normal.ep import boxed
from emimpute.normal.truncated import truncated

ROUNDING = 1e-12
SETTLED = 2e-9  # in sd, how far moments are from EP's fixed point
PAIR = 1e-8  # log Z of two coordinates: a pair that adds less than 5e-9 is left out, and faded in up to 5e-8
SLOPES = 1e-6
PLAIN = {0.5: 2e-3, 0.7: 8e-3, 0.9: 3.1e-2}  # EP's own worst error of log Z, of centred quadrants
SEVERAL = {0.7: 1e-3, 0.9: 5e-3}  # the corrected one's in three to five coordinates
QUADRANTS = [(x, y) for x in (0, 1) for y in (0, 1)]
SEEDS = st.integers(0, 2**32 - 1)


def bivariate(rho: np.ndarray | float) -> np.ndarray:
    rho = np.atleast_1d(rho)
    out = np.tile(np.eye(2), (len(rho), 1, 1))
    out[:, 0, 1] = out[:, 1, 0] = rho
    return out


def boxes(rng: np.random.Generator, rows: int, k: int, *, narrowest: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Half lines to either side, and intervals."""
    kind, c, width = rng.integers(0, 3, (rows, k)), rng.normal(0, 0.8, (rows, k)), rng.exponential(1, (rows, k))
    lower = np.where(kind == 0, -INF, c)
    return lower, np.where(kind == 1, INF, np.where(kind == 0, c, c + narrowest + width))


def law(rng: np.random.Generator, k: int) -> tuple[np.ndarray, np.ndarray]:
    factor = rng.standard_normal((k, k + 3))
    return rng.normal(0, 0.5, (1, k)), (factor @ factor.T / (k + 3) + 0.1 * np.eye(k))[None]


# One coordinate ------------------------------------------------------------------------------------------------------


def test_one_interval_is_exact():
    rng = np.random.default_rng(0)
    lower = rng.normal(0, 3, (2000, 1))
    upper = lower + rng.exponential(1, (2000, 1))
    lower[::3], upper[1::3] = -INF, INF
    mean, cov = rng.normal(0, 2, (2000, 1)), rng.uniform(0.1, 5, (2000, 1, 1))
    sd = np.sqrt(cov[:, 0])
    found, (logz, first, second) = boxed(mean, cov, lower, upper), truncated((lower - mean) / sd, (upper - mean) / sd)
    np.testing.assert_allclose(found.logz, logz[:, 0], rtol=ROUNDING, atol=ROUNDING)
    scale = np.sqrt(second) * sd
    assert np.abs((found.mean - mean - sd * first) / scale).max() < SETTLED
    assert np.abs(found.cov[:, 0] / scale**2 - 1).max() < SETTLED
    assert found.settled.all()


@pytest.mark.parametrize("width", [1e-1, 1e-3, 1e-6, 1e-8])
def test_a_narrow_interval_is_exact_too(width):
    """The cavity is what is left of a sharp site: by subtraction nothing would be left below 1e-7."""
    lower, upper = np.array([[0.3]]), np.array([[0.3 + width]])
    found, (logz, first, second) = boxed(np.zeros((1, 1)), np.eye(1)[None], lower, upper), truncated(lower, upper)
    assert found.logz[0] == pytest.approx(logz[0, 0], abs=ROUNDING)
    assert found.mean[0, 0] == pytest.approx(first[0, 0], abs=1e-15)
    assert found.cov[0, 0, 0] == pytest.approx(second[0, 0], rel=1e-9)


# Two coordinates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.5, 0.7, 0.9])
def test_plain_ep_is_as_far_off_as_is_known(rho):
    """In all quadrants of both signs, and no closer than a third of it: else the correction would be for nothing."""
    rhos = np.repeat([rho, -rho], 4)
    side = np.array(QUADRANTS * 2)
    lower, upper = np.where(side, 0.0, -INF), np.where(side, INF, 0.0)
    error = np.abs(
        boxed(np.zeros((8, 2)), bivariate(rhos), lower, upper, correct=False).logz - rectangle(lower, upper, rhos)[0]
    )
    assert PLAIN[rho] / 3 < error.max() < PLAIN[rho]


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_with_the_pair_two_coordinates_are_exact(rho):
    rng = np.random.default_rng(1)
    rhos = rho * rng.choice([-1, 1], 1000)
    lower, upper = boxes(rng, 1000, 2, narrowest=1e-4)
    found, (logz, mean, cov) = boxed(np.zeros((1000, 2)), bivariate(rhos), lower, upper), rectangle(lower, upper, rhos)
    sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    assert np.abs(found.logz - logz).max() < PAIR
    assert np.abs((found.mean - mean) / sd).max() < 3e-5
    assert np.abs((found.cov - cov) / (sd[:, :, None] * sd[:, None, :])).max() < 5e-5


@pytest.mark.parametrize("rho", [0.5, 0.7, 0.9])
def test_coarse_answers_are_exact_to_ten_digits(rho):
    """Quadrants and thirds, where a pair always counts."""
    cuts = np.array([-INF, -0.4, 0.7, INF])
    i, j = (each.ravel() for each in np.meshgrid(range(3), range(3)))
    lower, upper = np.stack([cuts[i], cuts[j]], axis=1), np.stack([cuts[i + 1], cuts[j + 1]], axis=1)
    found, (logz, mean, cov) = (
        boxed(np.zeros((9, 2)), bivariate(np.full(9, rho)), lower, upper),
        rectangle(lower, upper, rho),
    )
    np.testing.assert_allclose(found.logz, logz, atol=1e-9)
    np.testing.assert_allclose(found.mean, mean, atol=1e-8)
    np.testing.assert_allclose(found.cov, cov, atol=1e-8)


@given(SEEDS)
@settings(max_examples=30)
def test_no_settled_pair_is_far_from_exact(seed):
    rng = np.random.default_rng(seed)
    rhos = rng.uniform(-0.95, 0.95, 20)
    lower, upper = boxes(rng, 20, 2, narrowest=10.0 ** rng.uniform(-6, 0))
    mean = rng.normal(0, 1, (20, 2))
    found, exact = boxed(mean, bivariate(rhos), lower, upper), rectangle(lower - mean, upper - mean, rhos)
    assert np.abs(found.logz - exact[0])[found.settled].max(initial=0) < PAIR


# More coordinates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [3, 4, 5])
@pytest.mark.parametrize("rho", [0.7, 0.9])
def test_several_coordinates_are_close(k, rho):
    """Against quasi-Monte Carlo; equicorrelated but for signs, quadrants centred and not, and finite cells."""
    rng = np.random.default_rng(k)
    for number in range(4):
        sign = rng.choice([-1, 1], k) if number % 2 else np.ones(k)
        cov = equicorrelated(k, rho) * np.outer(sign, sign)
        if number < 2:
            lower, upper = np.zeros(k), np.full(k, INF)
        else:
            lower, upper = (each[0] for each in boxes(rng, 1, k))
        truth = oracles.box(lower, upper, np.zeros(k), cov, log2_points=11)
        found = boxed(np.zeros((1, k)), cov[None], lower[None], upper[None])
        sd = np.sqrt(np.diag(truth.cov.value))
        assert abs(found.logz[0] - truth.log_p.value) < SEVERAL[rho] + truth.log_p.bound
        error = np.abs(found.mean[0] - truth.mean.value) - truth.mean.bound
        assert (error / sd).max() < 4 * SEVERAL[rho]
        error = np.abs(found.cov[0] - truth.cov.value) - truth.cov.bound
        assert (error / np.outer(sd, sd)).max() < 10 * SEVERAL[rho]


@pytest.mark.parametrize(("k", "rho"), [(3, -0.4), (4, -0.3), (5, -0.2)])
def test_nearly_singular_negative_correlations_are_close(k, rho):
    """All mutually negative, as near to singular as -1/(k - 1) lets them."""
    cov, lower, upper = equicorrelated(k, rho), np.zeros(k), np.full(k, INF)
    truth = oracles.box(lower, upper, np.zeros(k), cov, log2_points=12)
    found = boxed(np.zeros((1, k)), cov[None], lower[None], upper[None])
    assert abs(found.logz[0] - truth.log_p.value) < SEVERAL[0.9] + truth.log_p.bound


# Edges ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("far", [8.0, 12.0, 20.0])
def test_far_tails_are_finite_and_right(rho, far):
    lower, upper = np.array([[far, -0.5], [far, far], [-INF, 0.2]]), np.array([[INF, 0.5], [INF, INF], [-far, 1.0]])
    found = boxed(np.zeros((3, 2)), bivariate(np.full(3, rho)), lower, upper)
    logz, mean, _ = rectangle(lower, upper, rho)
    for each in (found.logz, found.mean, found.cov, found.lower, found.upper):
        assert np.isfinite(each).all()
    np.testing.assert_allclose(found.logz, logz, rtol=1e-8, atol=1e-6)
    np.testing.assert_allclose(found.mean, mean, atol=1e-5)
    assert (np.linalg.eigvalsh(found.cov) > 0).all()


@pytest.mark.parametrize("width", [1e-2, 1e-4, 1e-6])
def test_narrow_intervals_tend_to_points(width):
    """Their log Z to that of a point beside a box, the other coordinate's moments to those given the point."""
    rho = 0.8
    lower, upper = np.array([[0.3 - width / 2, -0.2]]), np.array([[0.3 + width / 2, INF]])
    found = boxed(np.zeros((1, 2)), bivariate(rho), lower, upper)
    rest = np.sqrt(1 - rho**2)
    logz, first, second = truncated((-0.2 - rho * 0.3) / rest, INF)
    point = np.log(width) - 0.3**2 / 2 - np.log(2 * np.pi) / 2
    assert found.logz[0] == pytest.approx(point + logz, abs=width + 1e-9)
    assert found.mean[0] == pytest.approx([0.3, rho * 0.3 + rest * first], abs=width)
    assert found.cov[0, 1, 1] == pytest.approx(rest**2 * second, abs=width)
    assert found.cov[0, 0, 0] == pytest.approx(width**2 / 12, rel=1e-3)


def test_an_interval_without_bounds_changes_nothing():
    rng = np.random.default_rng(2)
    mean, cov = law(rng, 3)
    lower, upper = np.array([[-INF, -0.3, 0.1]]), np.array([[INF, 0.4, INF]])
    three, two = boxed(mean, cov, lower, upper), boxed(mean[:, 1:], cov[:, 1:, 1:], lower[:, 1:], upper[:, 1:])
    np.testing.assert_allclose(three.logz, two.logz, atol=1e-10)
    np.testing.assert_allclose(three.mean[:, 1:], two.mean, atol=1e-10)
    np.testing.assert_allclose(three.cov[:, 1:, 1:], two.cov, atol=1e-10)


def test_independent_coordinates_are_a_product():
    rng = np.random.default_rng(3)
    lower, upper = boxes(rng, 50, 6)
    var = rng.uniform(0.2, 3, (50, 6))
    found = boxed(np.zeros((50, 6)), var[:, :, None] * np.eye(6), lower, upper)
    logz, first, second = truncated(lower / np.sqrt(var), upper / np.sqrt(var))
    np.testing.assert_allclose(found.logz, logz.sum(axis=1), atol=1e-11)
    np.testing.assert_allclose(found.mean, first * np.sqrt(var), atol=1e-8)
    np.testing.assert_allclose(found.cov, (second * var)[:, :, None] * np.eye(6), atol=1e-8)


def test_forty_intervals_in_a_row():
    """One factor behind forty answers: a one-dimensional integral says how probable they are."""
    k, rng = 40, np.random.default_rng(4)
    load = rng.uniform(0.3, 0.8, k)
    cov = np.outer(load, load) + np.diag(1 - load**2)
    lower, upper = boxes(rng, 1, k)
    x, w = np.polynomial.hermite_e.hermegauss(80)
    rest = np.sqrt(1 - load**2)
    inside = truncated((lower - np.outer(x, load)) / rest, (upper - np.outer(x, load)) / rest)[0].sum(axis=1)
    top = inside.max()
    exact = top + np.log(w @ np.exp(inside - top) / np.sqrt(2 * np.pi))
    found = boxed(np.zeros((1, k)), cov[None], lower, upper)
    assert found.settled.all()
    assert found.logz[0] == pytest.approx(exact, abs=2e-3)
    assert abs(found.logz[0] - exact) < abs(
        boxed(np.zeros((1, k)), cov[None], lower, upper, correct=False).logz[0] - exact
    )


def test_rows_do_not_know_of_each_other():
    """But for a bit or so: a stack's adjoint sweeps on until its slowest row has settled."""
    rng = np.random.default_rng(5)
    lower, upper = boxes(rng, 30, 3)
    laws = [law(rng, 3) for _ in range(30)]
    mean, cov = (np.concatenate(each) for each in zip(*laws, strict=True))
    together = boxed(mean, cov, lower, upper)
    for r in range(30):
        alone = boxed(mean[[r]], cov[[r]], lower[[r]], upper[[r]])
        assert alone.logz[0] == pytest.approx(together.logz[r], abs=1e-13)
        np.testing.assert_allclose(alone.mean[0], together.mean[r], atol=1e-10)
        np.testing.assert_allclose(alone.cov[0], together.cov[r], atol=1e-10)


def test_sites_are_a_start_that_changes_nothing_but_the_way():
    rng = np.random.default_rng(6)
    mean, cov = law(rng, 4)
    lower, upper = boxes(rng, 1, 4)
    cold = boxed(mean, cov, lower, upper)
    warm = boxed(mean, cov, lower, upper, boxed(mean + 0.2, 1.3 * cov, lower, upper).sites)
    assert warm.logz[0] == pytest.approx(cold.logz[0], abs=1e-9)
    np.testing.assert_allclose(warm.mean, cold.mean, atol=1e-7)
    np.testing.assert_allclose(warm.cov, cold.cov, atol=1e-7)


@pytest.mark.parametrize("correct", [False, True])
def test_shifting_and_scaling_coordinates_does_nothing(correct):
    rng = np.random.default_rng(7)
    mean, cov = law(rng, 3)
    lower, upper = boxes(rng, 1, 3)
    shift, unit = np.array([100.0, -3.0, 0.0]), np.array([10.0, 0.01, 1.0])
    one = boxed(mean, cov, lower, upper, correct=correct)
    other = boxed(
        unit * mean + shift, cov * np.outer(unit, unit), unit * lower + shift, unit * upper + shift, correct=correct
    )
    assert other.logz[0] == pytest.approx(one.logz[0], abs=1e-9)
    np.testing.assert_allclose((other.mean - shift) / unit, one.mean, atol=1e-7)
    np.testing.assert_allclose(other.cov / np.outer(unit, unit), one.cov, atol=1e-7)


# Derivatives ---------------------------------------------------------------------------------------------------------


def natural(mean: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    precision = np.linalg.inv(cov)
    return precision, (precision @ mean[:, :, None])[:, :, 0]


def log_mass(
    precision: np.ndarray, linear: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, correct: bool
) -> float:
    """Log ∫ exp(hᵀx - xᵀPx/2) over the box: log Z and what makes exp(…) a density."""
    cov = np.linalg.inv(precision)
    mean = (cov @ linear[:, :, None])[:, :, 0]
    found = boxed(mean, cov, lower, upper, correct=correct)
    return float(found.logz[0] + ((linear * mean).sum() - np.linalg.slogdet(precision)[1][0]) / 2)


@pytest.mark.parametrize("correct", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_moments_are_the_derivatives_of_log_z(k, correct, monkeypatch):
    """In the law's natural parameters: mean in h, and minus half the second moment in P."""
    everything(monkeypatch)
    rng = np.random.default_rng(10 + k)
    mean, cov = law(rng, k)
    lower, upper = boxes(rng, 1, k)
    found = boxed(mean, cov, lower, upper, correct=correct)
    precision, linear = natural(mean, cov)
    step = 1e-4
    for i in range(k):
        e = np.zeros((1, k))
        e[0, i] = step
        slope = difference(lambda s, e=e: log_mass(precision, linear + s * e, lower, upper, correct=correct), step)
        assert found.mean[0, i] == pytest.approx(slope, abs=SLOPES)
    second = found.cov[0] + np.outer(found.mean[0], found.mean[0])
    for i in range(k):
        for j in range(i + 1):
            e = np.zeros((1, k, k))
            e[0, i, j] += step / 2
            e[0, j, i] += step / 2
            slope = difference(lambda s, e=e: log_mass(precision + s * e, linear, lower, upper, correct=correct), step)
            assert -second[i, j] / 2 == pytest.approx(slope, abs=3 * SLOPES)


@pytest.mark.parametrize("correct", [False, True])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_slopes_in_the_bounds(k, correct, monkeypatch):
    everything(monkeypatch)
    rng = np.random.default_rng(20 + k)
    mean, cov = law(rng, k)
    lower, upper = boxes(rng, 1, k)
    found = boxed(mean, cov, lower, upper, correct=correct)
    step = 1e-4
    for i in range(k):
        e = np.zeros((1, k))
        e[0, i] = step
        down = difference(lambda s, e=e: boxed(mean, cov, lower + s * e, upper, correct=correct).logz[0], step)
        up = difference(lambda s, e=e: boxed(mean, cov, lower, upper + s * e, correct=correct).logz[0], step)
        assert found.lower[0, i] == pytest.approx(down if np.isfinite(lower[0, i]) else 0.0, abs=SLOPES)
        assert found.upper[0, i] == pytest.approx(up if np.isfinite(upper[0, i]) else 0.0, abs=SLOPES)


def test_sites_respond_to_bounds_as_told():
    """The cavity held, which for one coordinate is the law itself."""
    mean, cov, lower, upper = np.zeros((1, 1)), np.eye(1)[None], np.array([[-0.4]]), np.array([[0.9]])
    found = boxed(mean, cov, lower, upper, respond=True)
    step, m = 1e-5, found.mean[0, 0]

    def centred(s: float, which: int) -> np.ndarray:
        other = boxed(mean, cov, lower + s * step * (which == 0), upper + s * step * (which == 1)).sites
        return np.array([other.nu[0, 0] - other.tau[0, 0] * m, other.tau[0, 0]])

    for which in (0, 1):
        slope = (centred(1, which) - centred(-1, which)) / (2 * step)
        np.testing.assert_allclose(found.response[which, :, 0, 0], slope, rtol=1e-5, atol=1e-6)


def everything(monkeypatch) -> None:
    """Let every pair count, however little: what comes and goes has no derivative."""
    monkeypatch.setattr(pairs, "_WORTH", (1e-300, 1e-299))


def difference(of, step: float) -> float:
    """Central, of fourth order."""
    return (8 * (of(1) - of(-1)) - (of(2) - of(-2))) / (12 * step)
