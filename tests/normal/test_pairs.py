"""A pair set right: all of its numbers against brute-force quadrature of its definition, by series and by integral."""

from __future__ import annotations

import numpy as np
import pytest
from intervals import INF
from scipy.special import eval_hermitenorm, factorial

from emimpute.normal import pairs as module
from emimpute.normal.ep import boxed
from emimpute.normal.pairs import Tilted, hermite, pairs

NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
REACH = 12.0  # sd at which an open side is cut for quadrature
CASES = [  # lower, upper, correlation before the box
    ((0, 0), (INF, INF), 0.7),
    ((0, 0), (INF, INF), -0.9),
    ((-0.5, 0.3), (0.8, INF), 0.5),
    ((-INF, 1.0), (-0.2, 1.4), 0.8),
    ((-0.1, -1.0), (0.1, 1.0), -0.6),
    ((1.5, -0.3), (1.6, -0.2), 0.95),
    ((-INF, -INF), (2.5, 0.0), 0.2),
]


def tilted(lower, upper, rho) -> tuple[np.ndarray, Tilted]:
    """EP's fixed point on one pair, as :func:`pairs` takes it."""
    lower, upper, cov = np.array([lower], float), np.array([upper], float), np.array([[[1.0, rho], [rho, 1.0]]])
    found = boxed(np.zeros((1, 2)), cov, lower, upper, correct=False)
    c, m = found.cov, found.mean
    var = np.diagonal(c, axis1=1, axis2=2)
    cavity = 1 / (1 / var - found.sites.tau)
    at = (m / var - found.sites.nu) * cavity - m
    low, high, scale = lower - m, upper - m, np.sqrt(cavity)
    x, w = grid(low, high, var)
    mass = (w * normal(x, at, cavity)).sum(axis=0)
    below, above = (
        np.where(np.isinf(b), 0.0, normal(np.where(np.isinf(b), 0, b), at, cavity) / mass) for b in (low, high)
    )
    return c, Tilted(var, low, high, at, scale, np.log(mass), below, above)


def grid(low, high, var) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (200, 1, 2)."""
    a, b = np.maximum(low, -REACH * np.sqrt(var)), np.minimum(high, REACH * np.sqrt(var))
    half = (b - a) / 2
    return (a + b) / 2 + half * NODES[:, None, None], half * WEIGHTS[:, None, None]


def normal(x, mean, var) -> np.ndarray:
    return np.exp(-((x - mean) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var)


def brute(c: np.ndarray, t: Tilted) -> list[float]:
    """Log R, E x, E y, E x² - var, E y² - var, E xy - cov, the densities at both lower, both upper bounds."""
    x, w = grid(t.low, t.high, t.var)
    x, w, c = x[:, 0], w[:, 0], c[0]
    ratio = [
        normal(x[:, i], t.at[0, i], t.scale[0, i] ** 2) / np.exp(t.logz[0, i]) / normal(x[:, i], 0, c[i, i])
        for i in (0, 1)
    ]

    def joint(u, v):
        det = c[0, 0] * c[1, 1] - c[0, 1] ** 2
        square = (c[1, 1] * u**2 - 2 * c[0, 1] * u * v + c[0, 0] * v**2) / det
        return np.exp(-square / 2) / (2 * np.pi * np.sqrt(det))

    f = joint(x[:, None, 0], x[None, :, 1]) * np.outer(ratio[0] * w[:, 0], ratio[1] * w[:, 1])
    r = f.sum()
    f /= r
    u, v = x[:, 0], x[:, 1]
    found = [
        np.log(r),
        u @ f.sum(1),
        v @ f.sum(0),
        u**2 @ f.sum(1) - c[0, 0],
        v**2 @ f.sum(0) - c[1, 1],
        u @ f @ v - c[0, 1],
    ]
    for bounds in (t.low[0], t.high[0]):
        for i, b in enumerate(bounds):
            if np.isinf(b):
                found.append(0.0)
                continue
            own = normal(b, t.at[0, i], t.scale[0, i] ** 2) / np.exp(t.logz[0, i]) / normal(b, 0, c[i, i])
            other = joint(b, v) * ratio[1] * w[:, 1] if i == 0 else joint(u, b) * ratio[0] * w[:, 0]
            found.append(own * other.sum() / r)
    return found


def numbers(found) -> np.ndarray:
    return np.array([found.log[0], *(each[0] for each in (*found.mean, *found.square, *found.low, *found.high))])


@pytest.mark.parametrize(("lower", "upper", "rho"), CASES)
def test_a_pair_is_what_its_definition_says(lower, upper, rho, monkeypatch):
    monkeypatch.setattr(module, "_WORTH", (1e-300, 1e-299))
    c, t = tilted(lower, upper, rho)
    np.testing.assert_allclose(numbers(pairs(c, t)), brute(c, t), atol=3e-8, rtol=1e-8)  # EP has settled to 1e-9


@pytest.mark.parametrize(("lower", "upper", "rho"), CASES)
def test_series_and_integral_agree(lower, upper, rho, monkeypatch):
    """Where a series is taken; and the integral everywhere, if no series is allowed to be short enough."""
    monkeypatch.setattr(module, "_WORTH", (1e-300, 1e-299))
    c, t = tilted(lower, upper, rho)
    mixed = numbers(pairs(c, t))
    monkeypatch.setattr(module, "_REST", 0.0)
    np.testing.assert_allclose(mixed, numbers(pairs(c, t)), atol=2e-9, rtol=2e-9)


def test_hermite_moments_are_moments():
    _, t = tilted((-0.5, 0.3), (0.8, INF), 0.5)
    eta, _, _ = hermite(t, 8)
    x, w = grid(t.low, t.high, t.var)
    p = w * normal(x, t.at, t.scale**2) / np.exp(t.logz)
    for order in range(9):
        h = eval_hermitenorm(order, x / np.sqrt(t.var)) / np.sqrt(factorial(order))
        np.testing.assert_allclose(eta[order], (p * h).sum(axis=0), atol=1e-7)


def test_what_is_not_worth_it_is_left_out():
    c, t = tilted((0, 0), (INF, INF), 0.001)
    assert pairs(c, t) is None


def test_a_pair_fades_in():
    """From nothing to all of it, without a jump of more than what is left out: else a search would see steps."""
    rhos = np.linspace(0.002, 0.012, 400)
    error = []
    for rho in rhos:
        found = boxed(np.zeros((1, 2)), np.array([[[1, rho], [rho, 1]]]), np.zeros((1, 2)), np.full((1, 2), INF))
        error.append(found.logz[0] - np.log(0.25 + np.arcsin(rho) / (2 * np.pi)))
    assert np.abs(error).max() < 5e-8
    assert np.abs(np.diff(error)).max() < 5e-9
