"""``prior="auto"``: what it chooses, that it depends on nothing it should not, and that it fills better."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute.errors import EMImputeError, IdentificationWarning
from emimpute.inference.heldout import auto, leaveout
from emimpute.latent import Latent
from emimpute.models.mvn import MVN, Normal
from emimpute.models.priors import FALLBACK, Shrink

SPEC = importlib.util.spec_from_file_location("auto_ridge", Path(__file__).parents[1] / "benchmarks" / "auto_ridge.py")
bench = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bench)

# Linnerud's data, as scikit-learn has them: chins, situps, jumps, weight, waist, pulse of twenty men.
LINNERUD = np.array(
    [
        [5, 162, 60, 191, 36, 50], [2, 110, 60, 189, 37, 52], [12, 101, 101, 193, 38, 58], [12, 105, 37, 162, 35, 62],
        [13, 155, 58, 189, 35, 46], [4, 101, 42, 182, 36, 56], [8, 101, 38, 211, 38, 56], [6, 125, 40, 167, 34, 60],
        [15, 200, 40, 176, 31, 74], [17, 251, 250, 154, 33, 56],
        [17, 120, 38, 169, 34, 50], [13, 210, 115, 166, 33, 52],
        [14, 215, 105, 154, 34, 64], [1, 50, 50, 247, 46, 50], [6, 70, 31, 193, 36, 46], [12, 210, 120, 202, 37, 62],
        [4, 60, 25, 176, 37, 54], [11, 230, 80, 157, 32, 52], [15, 225, 73, 156, 33, 54], [2, 110, 43, 138, 33, 68],
    ],
    dtype=float,
)  # fmt: skip


def latent(z: np.ndarray) -> Latent:
    return Latent(z, z, tuple(slice(j, j + 1) for j in range(z.shape[1])))


def few(seed: int = 0, n: int = 30, d: int = 5, gone: float = 0.2) -> np.ndarray:
    """Few rows with little in common: a table that wants a ridge."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, d)) + 0.5 * rng.standard_normal((n, 1))
    z[rng.random(z.shape) < gone] = np.nan
    return z[~np.isnan(z).all(axis=1)]


def clear(n: int = 400, gone: float = 0.1) -> pd.DataFrame:
    """Many rows with much in common: maximum likelihood cannot be bettered noticeably."""
    rng = np.random.default_rng(4)
    z = rng.standard_normal((n, 2)) @ rng.standard_normal((2, 4)) + 0.4 * rng.standard_normal((n, 4))
    z[rng.random(z.shape) < gone] = np.nan
    return pd.DataFrame(z, columns=list("abcd"))


def test_cell_errors_are_regressions_on_the_rest_of_the_row():
    rng = np.random.default_rng(1)
    z, factor = few(gone=0.4), rng.standard_normal((5, 7))
    params = Normal(rng.standard_normal(5), factor @ factor.T * np.outer(np.arange(1, 6), np.arange(1, 6)))
    errors, sds = leaveout.left_out(params, latent(z))
    for row, said, sd in zip(z, errors, sds, strict=True):
        for j in range(5):
            rest = np.flatnonzero(~np.isnan(row) & (np.arange(5) != j))
            slope = np.linalg.solve(params.cov[np.ix_(rest, rest)], params.cov[rest, j])
            expected = params.mean[j] + slope @ (row[rest] - params.mean[rest])
            assert said[j] == pytest.approx(0 if np.isnan(row[j]) else row[j] - expected, abs=1e-9)
            left = params.cov[j, j] - slope @ params.cov[rest, j]
            assert sd[j] == pytest.approx(0 if np.isnan(row[j]) else np.sqrt(left), abs=1e-9)


def test_no_ridge_is_maximum_likelihood_to_the_last_bit():
    df = clear()
    plain, chosen = df.em.fit(prior=None), df.em.fit(prior="auto")
    assert chosen.prior is None
    assert (chosen.mean.to_numpy() == plain.mean.to_numpy()).all()
    assert (chosen.cov.to_numpy() == plain.cov.to_numpy()).all()
    assert (chosen.loglik, chosen.n_iter) == (plain.loglik, plain.n_iter)
    assert chosen.problems["problem"].tolist() == ["ridge chosen"]
    assert "chose no ridge" in chosen.problems["sentence"][0]


def test_a_chosen_ridge_is_the_fit_with_that_ridge():
    df = pd.DataFrame(few())
    chosen = df.em.fit(prior="auto")
    assert chosen.prior.df > 0
    same = df.em.fit(prior=Shrink(chosen.prior.df))
    assert (chosen.cov.to_numpy() == same.cov.to_numpy()).all()
    assert f"chose a ridge of df {chosen.prior.df:g} " in chosen.summary().replace("\n", " ")


def test_the_chosen_ridge_has_e_steps_of_its_own():
    """However many the run without one took, for nothing."""
    df = pd.DataFrame(few(3, n=80, d=5, gone=0.3)).assign(total=lambda d: d.sum(axis=1, skipna=False))
    fit = df.em.fit(prior="auto", max_iter=40)
    alone = df.em.fit(prior=fit.prior, max_iter=40)
    assert fit.converged
    assert fit.n_iter == alone.n_iter + 40
    assert (fit.cov.to_numpy() == alone.cov.to_numpy()).all()


def test_where_there_is_no_maximum_likelihood_there_is_a_ridge():
    """Fewer rows than columns: no warning, for a ridge was asked for."""
    df = pd.DataFrame(few(n=7, d=9, gone=0.1))
    assert df.em.fit(prior="auto").prior.df > 0
    assert df.em.impute(prior="auto").notna().all(axis=None)


def test_without_evidence_the_ridge_is_the_fallback_s():
    """Not a weaker one, which is the worse mistake: five rows of noise tell nothing of what is best."""
    df = pd.DataFrame(np.random.default_rng(5).standard_normal((6, 6))).mask(np.eye(6, dtype=bool))
    with pytest.warns(IdentificationWarning, match="prior df 6"):
        assert df.em.fit().prior == Shrink(6.0)
    chosen = auto.choose(MVN(), latent(df.to_numpy()), None, None, Shrink(6.0))
    assert 6.0 in chosen.df
    assert df.em.fit(prior="auto").prior == chosen.prior
    assert chosen.prior.df >= 6


def test_dfs_beyond_one_that_is_plainly_worse_are_not_tried():
    choice = auto.choose(MVN(), latent(clear(1000).to_numpy()), None, None)
    assert choice.df[0] == pytest.approx(0.5 / 4**4)
    assert choice.df[-1] < 4**4  # of 4 n = 4000 that it might be
    assert (choice.error[-1] > choice.error[:-1]).all()


def never_together() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((60, 3)) + rng.standard_normal((60, 1))
    z[:30, 1] = z[30:, 2] = np.nan
    return pd.DataFrame(z, columns=["x", "y", "w"])


def test_what_no_row_bears_on_is_warned_of_though_a_ridge_is_chosen():
    """Held-out rows cannot choose by it either, so the user is to know: in one warning."""
    with pytest.warns(IdentificationWarning, match="partial association: 'y' with 'w'. The ridge alone") as caught:
        fit = never_together().em.fit(prior="auto")
    assert len(caught) == 1
    assert fit.prior.df > 0
    assert fit.problems["problem"].tolist() == ["never observed together", "ridge chosen"]


@pytest.mark.parametrize("prior", ["ridge", 2.0, Shrink(1.0)])
def test_whoever_gives_a_ridge_finds_a_note_of_it(prior):
    """And no warning: warnings are errors here."""
    problems = never_together().em.fit(prior=prior).problems
    assert problems["problem"].tolist() == ["never observed together"]
    assert problems["columns"][0] == (("y", "w"),)
    assert problems["sentence"][0].endswith("The ridge alone decides on that.")


def test_a_duplicated_column_gets_a_ridge():
    df = clear(60).assign(twin=lambda d: 2 * d["a"] + 1)
    fit = df.em.fit(prior="auto")
    assert fit.prior is not None
    assert "duplicates" in set(fit.problems["problem"])


@pytest.mark.parametrize("seed", range(2))
def test_the_choice_does_not_depend_on_order_or_units(seed):
    z = few(seed)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(z)), rng.permutation(z.shape[1])
    first = auto.choose(MVN(), latent(z), None, None)
    for other in (z[rows], z[:, columns], 1000 - 3.7 * z):
        again = auto.choose(MVN(), latent(other), None, None)
        assert again.prior == first.prior
        np.testing.assert_array_equal(again.df, first.df)
        np.testing.assert_allclose(again.error, first.error, rtol=1e-6)


def test_a_weight_of_two_is_the_row_twice():
    z = few()
    weights = np.random.default_rng(0).integers(0, 4, len(z)).astype(float)
    weighted = auto.choose(MVN(), latent(z), weights, None)
    repeated = auto.choose(MVN(), latent(np.repeat(z, weights.astype(int), axis=0)), None, None)
    assert weighted.prior == repeated.prior
    np.testing.assert_allclose(weighted.error, repeated.error, rtol=1e-6)


def test_a_heavy_row_is_shared_between_the_folds():
    """Two kinds of rows in bulk: held out whole, nothing would be left to predict them from."""
    z = np.repeat(np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), [50, 50, 8, 8], axis=0)
    units, count = auto._distinct(latent(z), None)
    assert sorted(count) == [8, 8, 50, 50]
    folds = list(auto._folds(MVN(), units, count))
    assert sum(fold.weight.sum() for fold in folds) == pytest.approx(116)
    assert all(fold.problem.rows + fold.weight.sum() == pytest.approx(116) for fold in folds)
    assert all((count[fold.test] == 50).sum() == 2 for fold in folds)


def test_many_rows_are_sampled(monkeypatch):
    monkeypatch.setattr(auto, "_ROWS", 100)
    z = clear(1000).to_numpy()
    weighted, repeated = (
        auto._distinct(latent(x), w) for x, w in ((z, np.full(len(z), 2.0)), (np.repeat(z, 2, axis=0), None))
    )
    assert len(weighted[1]) == 100
    np.testing.assert_array_equal(weighted[0].points, repeated[0].points)
    np.testing.assert_array_equal(weighted[1], repeated[1])
    assert (weighted[1] == 2).all()


def test_a_ridge_whose_fits_break_down_is_not_chosen(monkeypatch):
    """Only that one is out; the others are tried."""
    fit = auto._Trial._fit

    def breaks_down(self, problem, df, start):
        if not df:
            raise np.linalg.LinAlgError
        return fit(self, problem, df, start)

    monkeypatch.setattr(auto._Trial, "_fit", breaks_down)
    choice = auto.choose(MVN(), latent(clear(200).to_numpy()), None, None)
    assert isinstance(choice.prior, Shrink)


def test_too_few_rows_to_hold_some_out():
    choice = auto.choose(MVN(), latent(np.array([[1.0, 2.0], [3.0, np.nan]])), None, None)
    assert choice.prior == FALLBACK
    assert "too few rows" in choice.sentence


def test_the_validation_costs_a_small_multiple_of_a_fit():
    """A table that wants no ridge: a handful of dfs, three or four E-steps a fold on a share of the rows."""
    z = clear(5000).to_numpy()
    ml = emimpute.fit(pd.DataFrame(z), prior=None)
    choice = auto.choose(MVN(), latent(z), None, Normal(ml.mean.to_numpy(), ml.cov.to_numpy()))
    assert choice.prior is None
    assert choice.rows <= auto._ROWS
    assert choice.esteps < 100


def test_only_a_normal_model_has_held_out_cells():
    class Other:
        name = "other"

        def bind(self, *_):
            return object()

    with pytest.raises(EMImputeError, match="works with model='mvn', and this one is 'other'"):
        auto.choose(Other(), latent(few()), None, None)


def test_bind_refuses_auto():
    with pytest.raises(EMImputeError, match=r"fit\.prior"):
        emimpute.bind(clear(), prior="auto")


@pytest.mark.parametrize(
    ("z", "share", "mechanism", "seeds", "below"),
    [
        (LINNERUD, 0.1, "MCAR", 3, 0.95),
        (LINNERUD, 0.3, "MAR", 3, 0.97),
        ("macrodata", 0.3, "MCAR", 1, 0.95),
        ("longley", 0.3, "MAR", 2, 1.0),
    ],
)
def test_it_fills_better(z, share, mechanism, seeds, below):
    """A few tasks of tests/benchmarks/auto_ridge.py."""
    z = bench.table(z) if isinstance(z, str) else z
    found = [bench.compare(z, bench.holes(z, share, mechanism, seed))[:2] for seed in range(seeds)]
    assert np.exp(np.mean([np.log(after / before) for before, after in found])) < below
