"""Posteriors with intervals: against the same posterior by importance sampling, and what weights and speed are."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from scipy.special import ndtr

import emimpute
from emimpute.inference.drawing.boxposterior import BoxChain
from emimpute.inference.drawing.copies import copies
from emimpute.inference.drawing.posterior import _Chain
from emimpute.kinds import Ordinal
from emimpute.models.priors import Shrink

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
UTILITIES = np.eye(2) + 1.0
CONES = np.array([[[-1, 0], [0, -1]], [[1, 0], [1, -1]], [[-1, 1], [0, 1]]])


def importance(logpost, start, draws=800):
    """Draws (r, p) and weights (r,) of the distribution with this log density, from a t around its mode."""
    mode = optimize.minimize(lambda x: -logpost(x), start, method="BFGS", options={"gtol": 1e-4}).x
    p, h = len(mode), 1e-3
    e = np.eye(p) * h
    curve = [[logpost(mode + a + b) - logpost(mode + a - b) - logpost(mode - a + b) for b in e] for a in e]
    opposite = [[logpost(mode - a - b) for b in e] for a in e]
    hessian = -(np.array(curve) + np.array(opposite)) / (4 * h * h)
    proposal = stats.multivariate_t(mode, 1.3 * np.linalg.inv(hessian), df=5)
    x = proposal.rvs(draws, random_state=1)
    logs = np.array([logpost(one) for one in x]) - proposal.logpdf(x)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    assert 1 / (weights**2).sum() > 0.1 * draws
    return x, weights


def both_below(a, b, r):
    """P(z1 < a, z2 < b) at correlation r, by Plackett's integral."""
    t, (a, b) = r * (NODES + 1) / 2, np.broadcast_arrays(a, b)
    x, y = np.minimum(a, 9.0)[..., None], np.minimum(b, 9.0)[..., None]
    x, y = np.maximum(x, -9.0), np.maximum(y, -9.0)
    density = np.exp(-(x * x - 2 * t * x * y + y * y) / (2 * (1 - t * t))) / (2 * np.pi * np.sqrt(1 - t * t))
    return ndtr(a) * ndtr(b) + r / 2 * (density @ WEIGHTS)


def cells(a, b, r):
    """Probabilities of the cells that cut points ``a`` and ``b`` of two correlated normal deviates make."""
    edges = [np.array([-9.0, *cuts, 9.0]) for cuts in (a, b)]
    return np.diff(np.diff(both_below(edges[0][:, None], edges[1], r), axis=0), axis=1)


def cone(answer, mean, cov):
    """Probability (...) that ``answer`` has the greatest utility, given the law of the two differences."""
    at, v = mean @ CONES[answer].T, CONES[answer] @ cov @ CONES[answer].T
    sd = np.sqrt(np.diag(v))
    return both_below(at[..., 0] / sd[0], at[..., 1] / sd[1], v[0, 1] / sd[0] / sd[1])


def chain_of(df, kinds=None, prior=None, weights=None, steps=900):
    """The fit, and the parameters of a chain's steps."""
    fit = df.em.fit(kinds=kinds or {}, prior=prior, weights=weights)
    chain = BoxChain.of(fit.law, fit.law.table.encode(df, fit.law.table.match(df)), fit.weights, fit.prior)
    rng, found = np.random.default_rng(1), []
    state = chain.start(rng, 0.5)
    for step in range(steps):
        state = chain.step(state, rng)
        if step >= 50:
            found.append(chain.natural(state))
    return fit, found


def agree(exact, weights, drawn, *, sampled=True):
    """Means within their Monte-Carlo error, sds within a fifth; ``exact`` are draws, or the nodes of a quadrature."""
    drawn = np.asarray(drawn)
    mean = weights @ exact
    sd = np.sqrt(weights @ (exact - mean) ** 2)
    batches = drawn[: len(drawn) // 25 * 25].reshape(25, -1).mean(axis=1)
    error = np.hypot(batches.std(ddof=1) / 5, sd * np.sqrt((weights**2).sum()) * sampled)
    assert abs(drawn.mean() - mean) < 4 * error
    assert error < 0.2 * sd
    assert drawn.std() == pytest.approx(sd, rel=0.2)


def log_prior(det, trace, ridge, d):
    """Of correlations with this determinant; ``trace`` is of the inverse, over columns of intervals."""
    more = max(0.5 - ridge, 0.0)
    return -(d + 1 + more) / 2 * np.log(det) - more / 2 * trace


def correlated(n, seed, rho=0.6):
    """Two normal columns."""
    return np.random.default_rng(seed).multivariate_normal([0, 0], [[1, rho], [rho, 1]], n)


def ordered(z, cuts):
    """Ordered answers."""
    return pd.Categorical.from_codes(np.digitize(z, cuts), list("uvwxy")[: len(cuts) + 1], ordered=True)


@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_two_ordered_columns(ridge):
    """The noninformative prior on the correlation, cut points flat, times a ridge on the correlation matrix."""
    z = correlated(50, 5)
    df = pd.DataFrame({"a": ordered(z[:, 0], [0.4]), "b": ordered(z[:, 1], [-0.7, 0.5])})
    df.loc[:9, "b"] = None
    df.loc[40:, "a"] = None
    table = pd.crosstab(df["a"].cat.codes, df["b"].cat.codes)
    both, rows, columns = table.loc[0:, 0:].to_numpy(), table.loc[0:, -1].to_numpy(), table.loc[-1, 0:].to_numpy()

    def logpost(x):
        rho = np.tanh(x[3])
        p = np.maximum(cells(x[:1], [x[1], x[1] + np.exp(x[2])], rho), 1e-300)
        out = x[2] + np.log(1 - rho**2) * (1 - ridge / 2) - ridge / (1 - rho**2)
        out += log_prior(1 - rho**2, 2 / (1 - rho**2), ridge, 2)
        return out + (both * np.log(p)).sum() + rows @ np.log(p.sum(axis=1)) + columns @ np.log(p.sum(axis=0))

    x, weights = importance(logpost, np.array([0.3, -0.7, 0.2, 0.5]))
    _, found = chain_of(df, prior=Shrink(ridge) if ridge else None)
    agree(np.tanh(x[:, 3]), weights, [p.cov[0, 1] for p in found])
    agree(x[:, 0], weights, [p.cuts[0] for p in found])
    agree(x[:, 1], weights, [p.cuts[1] for p in found])
    agree(x[:, 1] + np.exp(x[:, 2]), weights, [p.cuts[2] for p in found])
    assert all(np.diag(p.cov) == pytest.approx(1.0, abs=1e-12) for p in found[:20])


@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_a_binary_column_beside_a_real_one(ridge):
    """The mean and the logarithm of the sd are flat besides."""
    z = correlated(40, 6)
    df = pd.DataFrame({"a": ordered(z[:, 0], [0.4]), "y": 2 + 1.5 * z[:, 1]})
    df.loc[:7, "y"] = np.nan
    df.loc[32:, "a"] = None
    answer, y = df["a"].cat.codes.to_numpy(), df["y"].to_numpy()
    seen, unit = ~np.isnan(y), np.nanstd(y)

    def logpost(x):
        cut, mean, log_sd, rho = x[0], x[1], x[2], np.tanh(x[3])
        away, rest, q = np.where(seen, (y - mean) / np.exp(log_sd), 0.0), 1 - rho**2, np.exp(log_sd) / unit
        out = np.log(rest) - ridge / 2 * (np.log(q * q * rest) + (1 + 1 / q**2) / rest)
        out += log_prior(rest, 1 / rest, ridge, 2)
        out += stats.norm.logpdf(away[seen]).sum() - log_sd * seen.sum()
        at = (cut - rho * away) / np.where(seen, np.sqrt(rest), 1.0)
        return out + stats.norm.logcdf(at[answer == 0]).sum() + stats.norm.logsf(at[answer == 1]).sum()

    x, weights = importance(logpost, np.array([0.3, 2, 0.4, 0.5]))
    fit, found = chain_of(df, prior=Shrink(ridge) if ridge else None)
    agree(x[:, 0], weights, [p.cuts[0] for p in found])
    agree(x[:, 1], weights, [p.mean[1] + fit.law.table.shift[1] for p in found])
    agree(x[:, 2], weights, [np.log(p.cov[1, 1]) / 2 for p in found])
    agree(np.tanh(x[:, 3]), weights, [p.cov[0, 1] / np.sqrt(p.cov[1, 1]) for p in found])


def test_separated_answers():
    """An empty cell of a table of two by two does not rule out a correlation of 1, and the posterior is proper."""
    df = pd.DataFrame({"a": ordered([-1.0] * 14 + [1.0] * 10, [0]), "b": ordered([-1.0] * 18 + [1.0] * 6, [0])})
    counts = pd.crosstab(df["a"], df["b"]).to_numpy()
    assert counts.tolist() == [[14, 0], [4, 6]]
    a, b, rho = np.linspace(-1, 1.5, 26)[:, None], np.linspace(-0.8, 2.2, 26)[None], np.tanh(np.linspace(-3, 4, 100))
    weights = []
    for r in rho:
        both, first, second = both_below(a, b, r), ndtr(a), ndtr(b)
        p = np.stack([both, first - both, second - both, 1 - first - second + both])
        likelihood = np.exp(np.tensordot(counts.ravel(), np.log(np.maximum(p, 1e-300)), 1)).sum()
        weights.append(likelihood * (1 - r**2) * np.exp(log_prior(1 - r**2, 2 / (1 - r**2), 0.0, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        _, found = chain_of(df, prior=Shrink(0.0), steps=1200)
    agree(rho, np.array(weights) / np.sum(weights), [p.cov[0, 1] for p in found], sampled=False)


def utilities(n, seed):
    """A real column, and the number of the greatest of three utilities."""
    rng = np.random.default_rng(seed)
    y, u = rng.standard_normal(n), rng.standard_normal((n, 3))
    u[:, 1] += 0.8 * y
    u[:, 2] -= 0.5 * y
    return y, u.argmax(axis=1)


def test_unordered_categories():
    """Means of the utilities are flat; their covariances have the prior of what is fixed, and within, they are."""
    y, answer = utilities(60, 8)
    df = pd.DataFrame({"g": pd.Categorical.from_codes(answer, list("uvw")), "y": 3 + 2 * y})
    df.loc[:5, "g"] = None
    df.loc[50:, "y"] = np.nan
    answer, y = df["g"].cat.codes.to_numpy(), df["y"].to_numpy()
    seen = ~np.isnan(y)

    def logpost(x):
        mean, r, sd = x[:2], x[2:4], np.exp(x[5])
        rest = UTILITIES - np.outer(r, r)
        if np.linalg.eigvalsh(rest)[0] <= 0:
            return -1e10
        away = np.where(seen, (y - x[4]) / sd, 0.0)
        out = log_prior(np.linalg.det(rest), 2 * np.trace(np.linalg.inv(rest)), 0.0, 3)
        out += stats.norm.logpdf(away[seen]).sum() - x[5] * seen.sum()
        for k in range(3):
            here = seen & (answer == k)
            out += np.log(np.maximum(cone(k, mean + away[here, None] * r, rest), 1e-300)).sum()
            out += (~seen & (answer == k)).sum() * np.log(cone(k, mean, UTILITIES))
        return out

    x, weights = importance(logpost, np.array([0, 0, 0.1, 0.1, 3, 0.7]))
    fit, found = chain_of(df, steps=1500)
    for k in range(2):
        agree(x[:, k], weights, [p.mean[k] for p in found])
        agree(x[:, 2 + k], weights, [p.cov[k, 2] / np.sqrt(p.cov[2, 2]) for p in found])
    agree(x[:, 4], weights, [p.mean[2] + fit.law.table.shift[2] for p in found])
    agree(x[:, 5], weights, [np.log(p.cov[2, 2]) / 2 for p in found])
    assert all((p.cov[:2, :2] == UTILITIES).all() for p in found[:20])


def test_two_blocks():
    """Unordered categories beside answers whose cut points are fixed: covariances between what is fixed."""
    y, answer = utilities(60, 9)
    df = pd.DataFrame({"g": pd.Categorical.from_codes(answer, list("uvw")), "o": ordered(y, [-0.4, 0.6])})
    df.loc[:5, "g"] = None
    df.loc[50:, "o"] = None
    fit, found = chain_of(df, kinds={"o": Ordinal(cuts="margins")}, steps=1500)
    edges = np.array([-8.0, *fit.law.table.codings[1].points, 8.0])
    half = np.diff(edges) / 2
    z = edges[:-1, None] + half[:, None] * (NODES + 1)
    table = pd.crosstab(df["g"].cat.codes, df["o"].cat.codes)

    def logpost(x):
        rest = UTILITIES - np.outer(x[2:], x[2:])
        if np.linalg.eigvalsh(rest)[0] <= 0:
            return -1e10
        inverse = np.linalg.inv(rest)
        trace = 2 * np.trace(inverse) + 1 + x[2:] @ inverse @ x[2:]
        out = log_prior(np.linalg.det(rest), trace, 0.0, 3)
        for k in range(3):
            given = stats.norm.pdf(z) * cone(k, x[:2] + z[..., None] * x[2:], rest)
            out += table.loc[k, 0:] @ np.log(np.maximum(half * (given @ WEIGHTS), 1e-300))
            out += table.loc[k, -1] * np.log(cone(k, x[:2], UTILITIES))
        return out

    x, weights = importance(logpost, np.array([0, 0, 0.1, 0.1]), 600)
    for k in range(2):
        agree(x[:, k], weights, [p.mean[k] for p in found])
        agree(x[:, 2 + k], weights, [p.cov[k, 2] for p in found])
    assert {p.cov[2, 2] for p in found[:20]} == {1.0}


class TestWeights:
    """A row of weight w is w rows."""

    def test_copies(self):
        """What they weigh adds up to the weight, and so do the squares where cells are drawn."""
        weights, hidden = np.array([2.0, 0.5, 3.2, 1.7, 0.0]), np.array([True, True, True, False, True])
        rows, weigh = copies(weights, hidden)
        np.testing.assert_allclose(np.bincount(rows, weigh, 5), weights, atol=1e-12)
        np.testing.assert_allclose(np.bincount(rows, weigh**2, 5)[hidden], weights[hidden], atol=1e-12)
        assert (np.bincount(rows, minlength=5) == [2, 2, 5, 1, 0]).all()

    @pytest.mark.parametrize("kind", ["real", "ordinal"])
    def test_whole_ones_are_repeated_rows(self, kind):
        """The very chain, step by step."""
        z = correlated(40, 3)
        second = ordered(z[:, 1], [-0.4, 0.5]) if kind == "ordinal" else z[:, 1]
        df = pd.DataFrame({"a": ordered(z[:, 0], [0.0]) if kind == "ordinal" else z[:, 0], "b": second})
        df.loc[:9, "b"] = np.nan
        weights = np.array([1.0, 2.0, 0.0, 3.0] * 10)
        again = df.loc[np.repeat(df.index, weights.astype(int))].reset_index(drop=True)
        fit = df.em.fit(weights=weights)
        paths = []
        for frame, own in ((df, weights), (again, None)):
            latent = fit.law.table.encode(frame, fit.law.table.match(frame))
            chain = (BoxChain if kind == "ordinal" else _Chain).of(fit.law, latent, own, None)
            rng = np.random.default_rng(2)
            state, own_path = chain.start(rng, 0.5), []
            for _ in range(5):
                state = chain.step(state, rng)
                own_path.append(chain.natural(state).cov)
            paths.append(own_path)
        np.testing.assert_allclose(*paths, rtol=1e-6)

    @pytest.mark.parametrize("kind", ["real", "ordinal"])
    def test_fractions(self, kind):
        """Every row split into two of weights that add up to 1: the same posterior."""
        z = correlated(60, 4)
        second = ordered(z[:, 1], [-0.4, 0.5]) if kind == "ordinal" else z[:, 1]
        df = pd.DataFrame({"a": z[:, 0], "b": second})
        df.loc[:29, "b"] = np.nan
        twice = pd.concat([df, df], ignore_index=True)
        weights = np.repeat([0.3, 0.7], 60)
        found = []
        for frame, own in ((df, None), (twice, weights)):
            fit = frame.em.fit(weights=own)
            latent = fit.law.table.encode(frame, fit.law.table.match(frame))
            chain = (BoxChain if kind == "ordinal" else _Chain).of(fit.law, latent, own, None)
            rng = np.random.default_rng(2)
            state, drawn = chain.start(rng, 0.5), []
            for _ in range(450):
                state = chain.step(state, rng)
                drawn.append(chain.natural(state).cov[0, 1])
            found.append(np.array(drawn[50:]))
        assert abs(found[0].mean() - found[1].mean()) < 0.4 * found[0].std()
        assert found[1].std() == pytest.approx(found[0].std(), rel=0.25)

    def test_too_many(self):
        """Each row that a weight stands for is drawn for itself."""
        z = correlated(20, 3)
        df = pd.DataFrame({"a": ordered(z[:, 0], [0.0]), "b": z[:, 1]})
        df.loc[:4, "b"] = np.nan
        for frame in (df, df[["b"]].assign(c=z[:, 0])):
            with pytest.raises(emimpute.EMImputeError, match="each is drawn for itself"):
                frame.em.draw(2, method="posterior", weights=np.full(20, 1e7))


def test_large_samples():
    """Posterior means near maximum likelihood, sds near standard errors; and draws as often as their probabilities."""
    rng = np.random.default_rng(2)
    z = rng.multivariate_normal(np.zeros(3), 0.5 + 0.5 * np.eye(3), 600)
    df = pd.DataFrame({"a": ordered(z[:, 0], [-0.5, 0.6]), "b": ordered(z[:, 1], [0.2]), "y": z[:, 2]})
    df = df.mask(rng.random(df.shape) < 0.2)
    fit, found = chain_of(df, steps=500)
    params = fit.params.drop("corr", level=0)
    i, j = np.triu_indices(3)
    drawn = np.array([np.concatenate([p.mean + fit.law.table.shift, p.cov[i, j], p.cuts]) for p in found])
    free = params["se"].to_numpy() > 0
    apart = (drawn.mean(axis=0) - params["estimate"]).to_numpy()[free] / params["se"].to_numpy()[free]
    assert np.abs(apart).max() < 0.5
    np.testing.assert_allclose(drawn.std(axis=0)[free], params["se"][free], rtol=0.3)
    done = fit.draw(40, method="posterior", rng=1)
    shares = fit.probabilities("a").mean()
    filled = pd.concat([frame.loc[df["a"].isna(), "a"] for frame in done])
    np.testing.assert_allclose(filled.value_counts(normalize=True)[shares.index], shares, atol=0.03)
    assert done.chains.rhat < done.chains.limit
