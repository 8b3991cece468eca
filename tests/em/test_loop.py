"""The loop: iterates, stops and bounds, on normal tables and on a problem that is no table at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tables import correlated, distance, latent, run

from emimpute.em import Stop, iterates
from emimpute.models.mvn import MVN
from emimpute.models.priors import Shrink

NA = np.nan
MURRAY = np.array(
    [[1, 1], [1, -1], [-1, 1], [-1, -1]] + [[2, NA]] * 2 + [[-2, NA]] * 2 + [[NA, 2]] * 2 + [[NA, -2]] * 2
)


def holed(seed=3, n=60, d=4, share=0.4):
    """A table that takes some thirty accelerated E-steps."""
    rng = np.random.default_rng(seed)
    x = correlated(rng, n, d)
    x[rng.random(x.shape) < share] = np.nan
    x[: 3 * d] = correlated(rng, 3 * d, d)
    return x


# A problem of another kind: survival times, exponential in each group, some of them censored -------------------------


@dataclass(frozen=True)
class Logarithms:
    """Coordinates log(mean / reference) of each group, scaled so that the complete-data information is the identity."""

    reference: np.ndarray
    share: np.ndarray  # of the rows, each group's

    def to_vector(self, params):
        return np.sqrt(self.share) * np.log(params / self.reference)

    def from_vector(self, vector):
        return self.reference * np.exp(vector / np.sqrt(self.share))

    def gradient(self, params, statistics):
        return np.sqrt(self.share) * (statistics / params / self.share - 1)

    def distance(self, vector):
        return float(np.abs(vector / np.sqrt(self.share)).max())


@dataclass(frozen=True)
class Survival:
    """Means of exponential times; a censored one is expected to last another mean."""

    times: tuple[np.ndarray, ...]
    died: tuple[np.ndarray, ...]
    closed: bool = False
    solution: None = None
    information_cost: float = np.inf  # it has none, so the loop must make do with products

    @property
    def rows(self):
        return float(sum(map(len, self.times)))

    def start(self):
        return np.array([t.mean() for t in self.times])

    def expect(self, params):
        """Expected total time of each group, per row of all."""
        total = [t.sum() + (~d).sum() * m for t, d, m in zip(self.times, self.died, params, strict=True)]
        loglik = sum(-d.sum() * np.log(m) - t.sum() / m for t, d, m in zip(self.times, self.died, params, strict=True))
        return np.array(total) / self.rows, float(loglik)

    def maximize(self, statistics):
        return statistics / self._share

    @property
    def _share(self):
        return np.array([len(t) for t in self.times]) / self.rows

    def log_prior(self, _params):
        return 0.0

    def chart(self, reference):
        return Logarithms(reference, self._share)

    def degenerate(self, params):
        return not (params > 0).all()

    def noise(self, _params, logpost):
        return 1e-14 * abs(logpost)

    @property
    def answer(self):
        """Total time over deaths."""
        return np.array([t.sum() / d.sum() for t, d in zip(self.times, self.died, strict=True)])


def survival(censored=(0.3, 0.9), seed=0):
    rng = np.random.default_rng(seed)
    times, died = [], []
    for share in censored:
        times.append(rng.exponential(5.0, 200))
        died.append(np.arange(200) >= share * 200)
    return Survival(tuple(times), tuple(died))


@pytest.mark.parametrize("engine", ["em", "lbfgs"])
@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-10])
def test_the_loop_knows_no_model(engine, tol):
    """It finds the maximum of a likelihood of quite another kind, within tol of the closed form."""
    problem = survival()
    history = list(iterates(problem, engine=engine, tol=tol))
    last = history[-1]
    assert last.stop is Stop.CONVERGED
    assert np.abs(np.log(last.params / problem.answer)).max() < tol
    assert (np.diff([i.logpost for i in history]) >= -1e-9).all()
    assert last.rate == pytest.approx(0.9, abs=0.02)


def test_acceleration_saves_steps():
    """Where 99 % are censored, EM's rate is .99."""
    problem = survival((0.5, 0.99))
    plain, fast = (list(iterates(problem, engine=e, max_iter=5000))[-1] for e in ("em", "lbfgs"))
    assert plain.stop is fast.stop is Stop.CONVERGED
    assert fast.esteps < 30
    assert fast.esteps * 4 < plain.esteps


class Stuck(Survival):
    """A log-likelihood that contradicts its gradient: it falls wherever one goes."""

    def expect(self, params):
        return super().expect(params)[0], -float(np.abs(params - self.start()).sum())


def test_a_run_that_finds_no_better_point_says_so():
    problem = survival()
    history = list(iterates(Stuck(problem.times, problem.died), tol=1e-12))
    assert history[-1].stop is Stop.STALLED
    assert not history[-1].stop.success


class Edge(Survival):
    """Nothing has a likelihood."""

    def expect(self, _params):
        raise np.linalg.LinAlgError


def test_a_start_without_a_likelihood_is_one_iterate():
    problem = survival()
    only, *none = iterates(Edge(problem.times, problem.died))
    assert none == []
    assert only.stop is Stop.UNBOUNDED
    assert np.isnan(only.logpost)
    assert (only.params == problem.start()).all()


# Normal tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["em", "lbfgs"])
@pytest.mark.parametrize(
    ("x", "prior", "stop"),
    [
        (holed(), None, Stop.CONVERGED),
        (holed(), Shrink(1.0), Stop.CONVERGED),
        (np.arange(12.0).reshape(6, 2) ** 2, None, Stop.NOTHING_MISSING),
        (np.outer(np.arange(8.0), [1.0, 2.0]), None, Stop.UNBOUNDED),
    ],
)
def test_exactly_the_last_iterate_has_a_stop(x, prior, stop, engine):
    history = run(MVN().bind(latent(x), None, prior), engine=engine)
    assert [i.stop for i in history[:-1]] == [None] * (len(history) - 1)
    assert history[-1].stop is stop


@pytest.mark.parametrize("engine", ["em", "lbfgs"])
@pytest.mark.parametrize("x", [holed(), MURRAY], ids=["slow", "saddle"])
def test_max_iter_is_a_bound(x, engine):
    """For every value: not one E-step more, tries of a line search included, and the stop says so."""
    problem = MVN().bind(latent(x))
    enough = run(problem, engine=engine, tol=1e-9)[-1].esteps
    for max_iter in range(1, min(enough, 60)):
        last = run(problem, engine=engine, tol=1e-9, max_iter=max_iter)[-1]
        assert last.esteps == max_iter
        assert last.stop is Stop.MAX_ITER


def test_e_steps_are_counted():
    """All of them: those of the way, and those of closing checks apart."""
    problem, calls = MVN().bind(latent(holed())), []

    class Counting(type(problem)):
        def expect(self, params):
            calls.append(1)
            return super().expect(params)

        def information(self, params, statistics):
            calls.append(1)  # a Newton step counts as one
            return super().information(params, statistics)

    counting = Counting(**{name: getattr(problem, name) for name in problem.__dataclass_fields__})
    last = run(counting)[-1]
    assert last.esteps + last.checks == len(calls)
    assert last.checks > 0


def test_two_runs_are_the_same_to_the_last_bit():
    problem = MVN().bind(latent(holed()))
    one, other = run(problem), run(problem)
    assert [(i.logpost, i.esteps, i.checks) for i in one] == [(i.logpost, i.esteps, i.checks) for i in other]
    assert (one[-1].params.cov == other[-1].params.cov).all()


def test_the_em_engine_is_plain_em():
    """Its iterates are E-step, M-step, E-step, ..., until the closing Newton step."""
    problem = MVN().bind(latent(holed()))
    history = run(problem, engine="em")
    params = problem.start()
    plain = [i for i in history if not i.accelerated]
    assert len(plain) > 20
    for iterate in plain:
        assert (iterate.params.cov == params.cov).all()
        params = problem.maximize(problem.expect(params)[0])


def test_engines_agree():
    problem = MVN().bind(latent(holed()))
    one, other = (run(problem, engine=e, tol=1e-9)[-1] for e in ("em", "lbfgs"))
    assert distance(one.params, other.params) < 2e-9
    assert other.esteps < one.esteps


def test_a_run_may_start_anywhere():
    """From the maximum it closes at once; from elsewhere it comes to the same."""
    problem = MVN().bind(latent(holed()))
    best = run(problem, tol=1e-10)[-1]
    again = run(problem, start=best.params)[-1]
    assert again.stop is Stop.CONVERGED
    assert again.esteps <= 10
    far = type(best.params)(best.params.mean + 3.0, 9 * best.params.cov)
    assert distance(run(problem, start=far, tol=1e-8)[-1].params, best.params) < 1e-8


@pytest.mark.parametrize("engine", ["em", "lbfgs"])
def test_a_collinear_table_is_unbounded(engine):
    """Also where it takes several steps to see it; the last iterate shows the singular matrix."""
    x = np.random.default_rng(0).standard_normal((30, 3))
    x[:, 2] = x[:, 0] - 2 * x[:, 1]
    x[::3, 0] = np.nan
    x[1::7, 2] = np.nan
    history = run(MVN().bind(latent(x)), engine=engine, max_iter=5000)
    assert history[-1].stop is Stop.UNBOUNDED
    assert np.linalg.eigvalsh(history[-1].params.cov)[0] < 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_tables_on_the_edge_end_with_a_stop(seed):
    """Nearly collinear, few rows, equal values: whatever comes of it, no exception and no warning."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 20)), int(rng.integers(2, 6))
    x = rng.standard_normal((n, d))
    x[:, -1] = x[:, 0] + [0.0, 1e-12, 1e-8, 1e-5][seed % 4] * rng.standard_normal(n)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[0] = np.where(np.isnan(x[0]), 1.0, x[0])
    for prior in (None, Shrink(0.5)):
        for engine in ("em", "lbfgs"):
            assert run(MVN().bind(latent(x), None, prior), engine=engine, max_iter=300)[-1].stop is not None


@pytest.mark.parametrize("engine", ["em", "lbfgs"])
def test_a_saddle_is_left(engine):
    """Between the two maxima of Murray's table (1977), correlations .5 and -.5, lies one at 0, where the score is 0."""
    problem = MVN().bind(latent(MURRAY))
    flat = type(problem.start())(np.zeros(2), np.eye(2))
    for start in (None, flat):
        last = run(problem, engine=engine, start=start)[-1]
        cov = problem.natural(last.params).cov
        assert last.stop is Stop.CONVERGED
        np.testing.assert_allclose(np.abs(cov), [[8 / 3, 4 / 3], [4 / 3, 8 / 3]], rtol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_a_table_that_is_its_own_mirror_image_is_not_left_on_a_saddle(seed):
    """Where a column may change its sign and the table stays the same, no gradient ever leaves zero correlation."""
    rng = np.random.default_rng(seed)
    complete = rng.standard_normal((12, 3)) * [1.0, 1.0, 0.5]
    complete[::4, 1] = np.nan
    thin = np.column_stack([2 * np.sign(rng.standard_normal(20)), rng.standard_normal(20), np.full(20, 2.0)])
    thin[:10, 2], thin[10:, 0], thin[:5, 1] = np.nan, np.nan, np.nan
    half = np.vstack([complete, thin])
    problem = MVN().bind(latent(np.vstack([half, half * [1, 1, -1]])))
    last = run(problem)[-1]
    assert last.stop is Stop.CONVERGED
    assert np.linalg.eigvalsh(information(problem, last.params))[0] > 0.05


def information(problem, params, step=1e-5):
    """The observed information per row in the chart, by differences of the gradient."""
    chart = problem.chart(params)
    p = len(chart.to_vector(params))
    columns = []
    for unit in np.eye(p) * step:
        ahead, behind = chart.from_vector(unit), chart.from_vector(-unit)
        slope = chart.gradient(behind, problem.expect(behind)[0]) - chart.gradient(ahead, problem.expect(ahead)[0])
        columns.append(slope / (2 * step))
    return (np.array(columns) + np.array(columns).T) / 2


# Where the whole information is too much: sixty columns --------------------------------------------------------------


def sixty(n, seed=0):
    """Three factors in sixty columns."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 3)) @ rng.standard_normal((3, 60)) + rng.standard_normal((n, 60))


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_blocks_never_seen_together_are_flat(share):
    """Seen by products with the information alone, which cost no more than the run did."""
    x = sixty(600)
    x[:200, :10], x[200:400, -10:], x[400:, :10] = NA, NA, NA
    x[np.random.default_rng(1).random(x.shape) < share] = NA
    problem = MVN().bind(latent(x))
    last = run(problem)[-1]
    assert problem.information_cost > last.esteps
    assert last.stop is Stop.FLAT
    assert last.checks < last.esteps


def test_thin_bridges_are_no_flat_likelihood():
    """The same blocks, seen together in some rows."""
    x = sixty(900)
    x[:200, :10], x[200:400, -10:], x[400:600, :10] = NA, NA, NA
    x[np.random.default_rng(1).random(x.shape) < 0.1] = NA
    assert run(MVN().bind(latent(x)))[-1].stop is Stop.CONVERGED


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_a_saddle_among_many_columns_is_left(share):
    """Murray's table beside forty columns that have nothing to do with it, and are not learned at once."""
    x = sixty(200)[:, :38]
    x[np.random.default_rng(1).random(x.shape) < share] = NA
    problem = MVN().bind(latent(np.hstack([np.repeat(MURRAY, 200, axis=0), np.tile(x, (12, 1))])))
    history = run(problem, start=type(problem.start())(np.zeros(40), np.eye(40)))
    last = history[-1]
    assert last.stop is Stop.CONVERGED
    assert last.saddles == 1
    assert history[0].saddles == 0
    assert abs(last.params.cov[0, 1] / last.params.cov[0, 0]) == pytest.approx(0.5, abs=1e-6)


def test_far_away_steps_grow():
    """Many columns with many gaps lead a long way to a singular matrix: in steps of one length it took 199."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 5)) @ rng.standard_normal((5, 60)) + rng.standard_normal((400, 60))
    x[rng.random(x.shape) < 0.65] = NA
    last = run(MVN().bind(latent(x)))[-1]
    assert last.stop is Stop.UNBOUNDED
    assert last.esteps < 80


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [1e-3, 1e-4])
def test_nearly_dependent_columns_converge(noise, seed):
    """A sum that errs by a ten-thousandth of its sd has a maximum, and rounding does not hide it."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((400, 6)) @ rng.standard_normal((6, 6))
    x[:, 5] = x[:, 0] + x[:, 1] + noise * x[:, 5].std() * rng.standard_normal(400)
    x[rng.random(x.shape) < 0.15] = NA
    last = run(MVN().bind(latent(x)))[-1]
    assert last.stop is Stop.CONVERGED
    assert last.esteps < 60
