"""Pictures show what the public frames say, on the Axes they are given, and leave nothing behind."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import combinations

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.stats import gaussian_kde

import emimpute
from emimpute.errors import ColumnError, EMImputeError
from emimpute.plots.density import curve
from emimpute.plots.palette import IMPUTED, OBSERVED, VERMILLION
from emimpute.plots.words import each, font, said

ONE = ("trace", "information", "scatter")
SEVERAL = ("density", "strip", "cells", "overimpute")


def numbers(n=60, d=4, *, seed=0, names=None):
    """A table (n, d) with gaps in all columns but the last."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)) @ rng.standard_normal((3, d)) + rng.standard_normal((n, d))
    gaps = rng.random((n, d)) < np.linspace(0.3, 0.1, d)
    gaps[:, -1] = False
    x[gaps] = np.nan
    return pd.DataFrame(x, columns=list("abcdefgh")[:d] if names is None else names)


def mixed(n=70):
    """A column of most kinds, each with gaps."""
    rng = np.random.default_rng(3)
    z = rng.standard_normal((n, 1)) + 0.5 * rng.standard_normal((n, 8))
    day = pd.Timestamp("2020-02-03")
    table = pd.DataFrame(
        {
            "income": 1e4 * np.exp(z[:, 0]),
            "seen": day + pd.to_timedelta(np.round(100 * z[:, 1]), unit="D"),
            "waited": pd.to_timedelta(np.round(10 * z[:, 2]), unit="h"),
            "month": pd.period_range("2000-01", periods=n, freq="M"),
            "grade": pd.Categorical.from_codes(np.digitize(z[:, 3], [-0.7, 0.7]), ["low", "mid", "high"], ordered=True),
            "smoker": pd.array(z[:, 4] > 0, dtype="boolean"),
            "party": np.array(["x", "y", "z"])[np.digitize(z[:, 5], [-0.4, 0.4])],
            "bracket": pd.cut(z[:, 6], [-20, -1, 0, 1, 20]),
            "count": pd.array(rng.poisson(2, n), dtype="Int64"),
            "same": np.full(n, 3.0),
        }
    )
    return table.mask(rng.random(table.shape) < 0.15)


@pytest.fixture(scope="module")
def fit():
    return numbers().em.fit()


@pytest.fixture(scope="module")
def found(fit):
    return fit.overimpute()


@pytest.fixture(scope="module")
def of_kinds():
    return mixed().em.fit(kinds={"income": "positive", "count": "count"}, prior="ridge")


@pytest.fixture(autouse=True)
def _nothing_left():
    """No picture touches a setting."""
    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == before


@pytest.fixture
def _drawn(_nothing_left):
    """What the test made is drawn to the last letter, without a warning."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).savefig(io.BytesIO(), dpi=30)


def picture(fit, name, found=None, **options):
    if name == "scatter":
        return fit.plot.scatter("a", "b", **options)
    if name == "overimpute":
        return fit.plot.overimpute(of=found, **options)
    return getattr(fit.plot, name)(**options)


def said_above(ax):
    return " ".join(ax.get_title(loc="left").split())


def said_over_all(axes):
    return " ".join(axes[0].figure.get_suptitle().split())


def offsets(ax, color):
    """Dots of one colour, (n, 2)."""
    parts = [
        c.get_offsets()
        for c in ax.collections
        if len(c.get_facecolor()) and to_hex(c.get_facecolor()[0]) == color.lower()
    ]
    return np.ma.getdata(np.concatenate(parts))


# ---- Axes in and out


@pytest.mark.usefixtures("_drawn")
@pytest.mark.parametrize("name", ONE)
def test_one_panel(fit, name):
    """A picture of one panel is drawn on the Axes it is given, or in that figure; else in one figure of its own."""
    given = Figure().subplots()
    assert picture(fit, name, ax=given) is given
    assert picture(fit, name, ax=Figure()).figure is not given.figure
    part, _ = Figure(layout="constrained").subfigures(1, 2)
    assert picture(fit, name, ax=part).figure is part
    assert not plt.get_fignums()
    own = picture(fit, name)
    assert isinstance(own, Axes)
    assert [own.figure.number] == plt.get_fignums()


@pytest.mark.usefixtures("_drawn")
@pytest.mark.parametrize("name", SEVERAL)
def test_several_panels(fit, found, name):
    """A picture of several panels takes an array of Axes, as many columns as there are, or a figure."""
    given = Figure().subplots(1, 2)
    axes = picture(fit, name, found, ax=given)
    assert axes.tolist() == given.tolist()
    assert picture(fit, name, found, ax=given[0]).tolist() == [given[0]]
    whole = Figure(layout="constrained")
    axes = picture(fit, name, found, ax=whole)
    assert all(isinstance(ax, Axes) for ax in axes)
    assert [ax.figure for ax in axes] == [whole] * len(whole.axes)
    picture(fit, name, found, ax=Figure().subfigures(1, 2)[0])
    assert not plt.get_fignums()
    own = picture(fit, name, found)
    assert len(own) == (4 if name == "overimpute" else 3)
    assert [own[0].figure.number] == plt.get_fignums()


@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
def test_what_is_no_axes(fit, found, name):
    """Another ax= is an error, and leaves no figure behind."""
    for wrong in ("here", [], 3):
        with pytest.raises(EMImputeError, match="ax= is a matplotlib Axes"):
            picture(fit, name, found, ax=wrong)
    assert not plt.get_fignums()


def test_too_few_and_too_many_axes(fit):
    with pytest.raises(EMImputeError, match="ax= holds 1 Axes, and 2 are needed"):
        fit.plot.strip(["a", "b"], ax=Figure().subplots())
    with pytest.raises(EMImputeError, match="ax= holds 2 Axes, and this picture is drawn on one"):
        fit.plot.trace(ax=Figure().subplots(1, 2))


@pytest.mark.usefixtures("_drawn")
@pytest.mark.parametrize("name", ["patterns", "coverage"])
def test_frames_are_drawn_likewise(name):
    given = Figure().subplots()
    plot = numbers().em.plot
    assert getattr(plot, name)(ax=given) is given
    assert getattr(plot, name)(["a", "b"], ax=Figure()) is not given
    assert not plt.get_fignums()
    assert isinstance(getattr(plot, name)(), Axes)


# ---- what is drawn is what the frames say


def test_trace_is_the_trace(fit):
    for of, table in (("remaining", fit.trace[fit.trace.remaining < np.inf]), ("loglik", fit.trace)):
        ax = fit.plot.trace(of, ax=Figure())
        line = ax.lines[0]
        np.testing.assert_array_equal(line.get_xydata(), table[["esteps", of]])
    ax = fit.plot.trace(ax=Figure())
    marked = np.concatenate([line.get_xdata() for line in ax.lines if line.get_label() == "accelerated step"])
    there = fit.trace[fit.trace.accelerated & np.isfinite(fit.trace.remaining)]
    np.testing.assert_array_equal(marked, there.esteps)
    assert said_above(ax) == f"EM converged after {fit.n_iter} E-steps: the remaining distance fell below 1e-6"
    with pytest.raises(EMImputeError, match="did you mean 'loglik'"):
        fit.plot.trace("logik", ax=Figure())


def test_trace_of_what_did_not_converge():
    with pytest.warns(emimpute.ConvergenceWarning):
        stopped = numbers().em.fit(max_iter=3)
    assert said_above(stopped.plot.trace(ax=Figure())).startswith(
        "EM did not converge: after 3 E-steps the remaining distance"
    )
    whole = numbers().dropna().em.fit()
    assert "closed form" in said_above(whole.plot.trace(ax=Figure()))


def test_curves_are_those_of_r():
    """R 4: ``h <- bw.nrd0(x); sapply(grid, function(t) mean(dnorm(t, x, h)))``."""
    x = np.array([0.1, 0.4, 0.5, 0.9, 1.3, 1.4, 2.2, 2.8, 3.1, 7.5])
    expected = [0.1824016525541272, 0.2576560737198091, 0.2083103203414224, 0.0509129941376315, 0.0389147539422358]
    np.testing.assert_allclose(curve(x, np.ones(10), np.array([0.0, 1, 2, 4, 7])), expected, rtol=1e-8)


def test_a_large_sample_is_gathered_first():
    """And the curve is that of all its values, as SciPy has it at the same bandwidth."""
    x = np.random.default_rng(0).gamma(2, size=5000)
    grid = np.linspace(0, 8, 50)
    low, high = np.quantile(x, [0.25, 0.75])
    bandwidth = 0.9 * min(x.std(ddof=1), (high - low) / 1.34) * len(x) ** -0.2
    direct = gaussian_kde(x, bw_method=bandwidth / x.std(ddof=1))(grid)
    np.testing.assert_allclose(curve(x, np.ones(5000), grid), direct, atol=5e-4)


def test_weights_of_curves_are_repeated_rows():
    """With weight 2 everywhere nothing changes, and rows of weight 0 do not count."""
    x = np.random.default_rng(0).standard_normal(200)
    grid = np.linspace(-2, 2, 9)
    once = curve(x, np.ones(200), grid)
    np.testing.assert_allclose(curve(x, np.full(200, 2.0), grid), once)
    half = np.repeat([1.0, 3.0], 100)
    assert np.abs(curve(x, half, grid) - once).max() > 0.001


def test_density_shows_observed_and_imputed(fit):
    imputations = fit.draw(3, rng=5)
    axes = fit.plot.density(draws=imputations, ax=Figure())
    for ax, name in zip(axes, "abc", strict=True):
        gaps = fit.data[name].isna().to_numpy()
        observed = fit.data[name].dropna().to_numpy()
        drawn = np.concatenate([frame[name].to_numpy()[gaps] for frame in imputations])
        for line, values in zip(ax.lines, (observed, drawn), strict=True):
            assert (line.get_xdata().min(), line.get_xdata().max()) == (values.min(), values.max())
            np.testing.assert_allclose(line.get_ydata(), curve(values, np.ones(len(values)), line.get_xdata()))
        apart = (drawn.mean() - observed.mean()) / observed.std()
        words = "alike" if abs(apart) < 0.1 else f"imputed {abs(apart):.1f} sd {'higher' if apart > 0 else 'lower'}"
        assert words in said_above(ax)
        assert ax.get_xlabel() == f"{gaps.sum()} of 60 missing"
    assert said_over_all(axes) == "Observed cells and, where cells are missing, 3 imputations (bootstrap)."


def test_density_by_default_draws(fit):
    """Expectations vary less than cells; draws do not, and are the same every time."""
    width = {
        draws: np.ptp(fit.plot.density("a", draws=draws, ax=Figure())[0].lines[1].get_xdata()) for draws in (0, 20)
    }
    assert width[0] < width[20]
    first, second = (fit.plot.density("a", ax=Figure())[0].lines[1].get_ydata() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert "vary less than cells do, by construction" in said_over_all(fit.plot.density(draws=0, ax=Figure()))
    assert "20 draws at the estimate" in said_over_all(fit.plot.density(ax=Figure()))


def test_answers_are_bars(of_kinds):
    imputations = of_kinds.draw(2, method="bootstrap", rng=1)
    for name in ("grade", "party", "smoker", "bracket"):
        (ax,) = of_kinds.plot.density(name, draws=imputations, ax=Figure())
        cells = of_kinds.data[name]
        drawn = pd.concat([frame[name][cells.isna()] for frame in imputations])
        words = [tick.get_text() for tick in ax.get_xticklabels()]
        for bars, values in zip(ax.containers, (cells, drawn), strict=True):
            shares = values.astype(object).map(str, na_action="ignore").value_counts(normalize=True)
            np.testing.assert_allclose([bar.get_height() for bar in bars], shares.reindex(words, fill_value=0))
        assert all(bar.get_hatch() for bar in ax.containers[1])  # not by colour alone


def test_weights_count_in_densities():
    df = numbers()
    df["g"] = pd.Categorical(np.where(df["d"] > 0, "up", "down"))
    df.loc[:5, "g"] = np.nan
    weights = np.where(np.arange(60) % 2, 3.0, 0.0)
    fit = df[["a", "b", "g"]].em.fit(weights=weights, prior="ridge")
    (ax,) = fit.plot.density("g", ax=Figure())
    kept = df["g"][weights > 0].value_counts(normalize=True, sort=False)
    np.testing.assert_allclose([bar.get_height() for bar in ax.containers[0]], kept)


def test_cells_are_the_cells(fit):
    axes = fit.plot.cells(ax=Figure())
    table = fit.cells()
    for ax, name in zip(axes, "abc", strict=True):
        own = table[table.column == name].sort_values("estimate")
        np.testing.assert_array_equal(ax.lines[-1].get_xdata(), own.estimate)
        lines = next(c for c in ax.collections if hasattr(c, "get_segments"))
        np.testing.assert_array_equal([s[:, 0] for s in lines.get_segments()], own[["low", "high"]])
        assert said_above(ax).startswith(f"{name}: {len(own)} cells, intervals")
        band = ax.patches[0].get_extents().transformed(ax.transData.inverted()).intervalx
        np.testing.assert_allclose(band, fit.data[name].quantile([0.025, 0.975]))


def test_cells_of_answers_are_probabilities(of_kinds):
    (ax,) = of_kinds.plot.cells("party", ax=Figure())
    shares = of_kinds.probabilities("party")
    drawn = ax.images[0].get_array()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(shares.columns)
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(shares.to_numpy(), axis=0))


def test_many_cells_are_thinned():
    (ax,) = numbers(900, 3).em.fit().plot.cells("a", ax=Figure())
    assert len(ax.lines[-1].get_xdata()) == 150
    assert "150 in even steps" in said_over_all([ax])


def test_many_dots_are_thinned():
    """And the title says so."""
    fit = numbers(3000, 3).em.fit()
    ax = fit.plot.scatter("a", "b", ax=Figure())
    assert len(offsets(ax, OBSERVED)) == 800
    assert "At most 800 dots of a sort are drawn." in said_above(ax)
    assert "both observed (1 " in ax.get_legend().get_texts()[0].get_text()
    assert "At most 800 dots" in said_over_all(fit.plot.strip(ax=Figure()))


def test_information_is_that_of_params(fit):
    ax = fit.plot.information(ax=Figure())
    fmi = fit.params.fmi
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    drawn = {line.get_label(): dict(zip(names, line.get_xdata(), strict=True)) for line in ax.lines}
    for name in "abcd":
        assert drawn["mean"][name] == fmi["mean", name, ""]
        assert drawn["variance"][name] == fmi["cov", name, name]
        pairs = [v for (p, x, y), v in fmi.items() if p != "mean" and x != y and name in {x, y}]
        assert drawn["covariance or correlation, the largest"][name] == max(pairs)
    assert f"{fmi.max():.0%}".replace("%", " %") in said_above(ax)
    assert said_above(ax).startswith("Most information is missing on the")


def test_strips_are_the_completed_frame(fit):
    axes = fit.plot.strip(ax=Figure())
    done = fit.impute()
    for ax, name in zip(axes, "abc", strict=True):
        gaps = fit.data[name].isna()
        np.testing.assert_array_equal(offsets(ax, OBSERVED)[:, 1], done[name][~gaps])
        np.testing.assert_array_equal(offsets(ax, IMPUTED)[:, 1], done[name][gaps])
        assert said_above(ax) == f"{name}: {gaps.sum()} of 60 missing"


def test_scatter_is_the_completed_frame(fit):
    ax = fit.plot.scatter("a", "b", ax=Figure())
    done, gaps = fit.impute(), fit.data.isna()
    both = ~gaps.a & ~gaps.b
    np.testing.assert_array_equal(offsets(ax, OBSERVED), done.loc[both, ["a", "b"]])
    np.testing.assert_array_equal(offsets(ax, IMPUTED), done.loc[gaps.b & ~gaps.a, ["a", "b"]])
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[0] == f"both observed ({both.sum()})"
    assert words[-1] == f"both imputed ({(gaps.a & gaps.b).sum()})"
    assert f"{(gaps.a | gaps.b).sum()} rows completed" in said_above(ax)
    again = fit.plot.scatter("a", "b", draws=4, ax=Figure())
    assert len(offsets(again, IMPUTED)) == 4 * (gaps.b & ~gaps.a).sum()


def test_overimpute_is_the_overimputation(fit, found):
    axes = fit.plot.overimpute(of=found, ax=Figure())
    for ax, name in zip(axes, "abcd", strict=True):
        own = found.cells[found.cells.column == name]
        for line, part in zip(ax.lines, (own[own.covered == 1], own[own.covered == 0]), strict=False):
            np.testing.assert_array_equal(
                np.sort(line.get_xydata(), axis=0), np.sort(part[["observed", "estimate"]], axis=0)
            )
        assert to_hex(ax.lines[1].get_color()) == VERMILLION.lower()
        assert ax.lines[0].get_marker() != ax.lines[1].get_marker()  # not by colour alone
        assert f"{found.by_column.coverage[name]:.0%}".replace("%", " % covered") in said_above(ax)
    assert f"{100 * found.coverage:.1f} %" in said_over_all(axes)


def test_overimpute_of_answers():
    fit = mixed()[["grade", "party", "income", "bracket"]].em.fit(kinds={"income": "positive"}, prior="ridge")
    result = fit.overimpute(k=2)
    axes = fit.plot.overimpute(of=result, ax=Figure())
    titles = {said_above(ax).partition(":")[0]: ax for ax in axes}
    assert set(titles) == {"grade", "party", "income", "bracket"}
    assert [tick.get_text() for tick in titles["grade"].get_yticklabels()] == ["low", "mid", "high"]
    own = result.cells[result.cells.column == "party"]
    assert f"{own.correct.mean():.0%}".replace("%", " % right") in said_above(titles["party"])


def test_patterns_are_the_patterns():
    df = numbers()
    ax = df.em.plot.patterns(rows=5, ax=Figure())
    table = emimpute.patterns(df)
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    assert names == ["a", "b", "c"]  # d has no gap
    np.testing.assert_array_equal(ax.images[0].get_array(), ~table[names].to_numpy()[:5])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [str(n) for n in table["rows"][:5]]
    crosses = ax.lines[0].get_xydata()
    assert {tuple(c) for c in crosses.astype(int)[:, ::-1]} == set(
        zip(*np.nonzero(ax.images[0].get_array()), strict=True)
    )
    complete = df.notna().all(axis=1).mean()
    assert said_above(ax).startswith(f"{complete:.0%}".replace("%", " % of 60 rows are without gaps here"))
    assert "1 column without gaps is not shown" in said_above(ax)
    assert f"The {len(table) - 5} rarer patterns are not shown" in said_above(ax)


def test_patterns_of_fewer_columns_are_merged():
    df = numbers()
    ax = df.em.plot.patterns(["a", "b"], ax=Figure())
    rows = [int(tick.get_text()) for tick in ax.get_yticklabels()]
    assert sum(rows) == 60
    assert rows == emimpute.patterns(df[["a", "b"]])["rows"].tolist()


def test_coverage_is_the_coverage():
    df = numbers()
    ax = df.em.plot.coverage(ax=Figure())
    table = emimpute.coverage(df)
    np.testing.assert_array_equal(ax.images[0].get_array(), table / 60)
    least = min(combinations("abcd", 2), key=lambda pair: table.loc[pair])
    assert said_above(ax).startswith(f"Least often observed together: {' and '.join(least)}")
    df.loc[df.a.notna(), "b"] = np.nan
    assert said_above(df.em.plot.coverage(ax=Figure())) == "Never observed together: a and b."


# ---- many columns, hostile names, every kind


def boxes(axes):
    figure = axes[0].figure
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else None
    figure.canvas.draw()
    return figure.bbox, [ax._left_title.get_window_extent(renderer) for ax in axes]


def test_forty_columns():
    """The columns with most gaps are drawn, the title counts the others, and no title is cut or lies on another."""
    names = [f"How much do you agree with statement {i:02d} of this long survey?" for i in range(40)]
    df = numbers(150, 40, names=names)
    fit = df.em.fit(prior="ridge")
    most = df.isna().sum().sort_values(ascending=False, kind="stable").index[:12]
    numbered = {f"{i:02d}" for i, name in enumerate(names) if name in set(most)}
    axes = fit.plot.strip()
    assert len(axes) == 12
    assert "27 more columns with gaps are not shown" in said_over_all(axes)
    assert {number for number in numbered for ax in axes if number in said_above(ax)} == numbered
    whole, titles = boxes(axes)
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 + 1 for box in titles)
    assert not any(one.overlaps(other) for one, other in combinations(titles, 2))
    information = df.iloc[:, :22].em.fit().plot.information()
    assert len(information.get_yticklabels()) == 20
    assert "2 more columns with less of it are not shown" in said_above(information)
    for ax in (df.em.plot.patterns(), df.em.plot.coverage(), information):
        whole, (title,) = boxes([ax])
        assert title.x1 <= whole.x1


def test_more_than_forty_columns_in_a_frame():
    df = numbers(30, 45, names=range(45))
    ax = df.em.plot.patterns()
    assert len(ax.get_xticklabels()) == 40
    assert "4 more columns with fewer gaps are not shown" in said_above(ax)
    assert "5 more columns with fewer gaps are not shown" in said_above(df.em.plot.coverage())


HOSTILE = [
    "$x^2$ and \\frac{1$",
    "_a_",
    " ",
    "年龄\ud800",
    ("a", "$b$"),
    3.5,
    "line\nbreak\x00",
    "_a_",
    "W" * 300,
    None,
]


@pytest.mark.usefixtures("_drawn")
def test_hostile_names():
    """Nothing in a label is markup, repeated labels stay apart, and a picture is drawn of all of them."""
    df = numbers(50, 11, names=range(11))
    df.columns = pd.Index([*HOSTILE, "last"], tupleize_cols=False)
    fit = df.em.fit()
    done = fit.impute()
    axes = fit.plot.strip()
    drawn = [ax for ax in axes if said_above(ax).startswith("_a_")]
    assert len(drawn) == 2
    for ax, position in zip(drawn, (1, 7), strict=True):
        np.testing.assert_array_equal(
            np.sort(offsets(ax, IMPUTED)[:, 1]), np.sort(done.iloc[df.iloc[:, position].isna().to_numpy(), position])
        )
    assert said_above(axes[0]).startswith("\\$x^2\\$ and \\frac{1\\$: ")
    fit.plot.density(draws=1)
    fit.plot.cells(HOSTILE[:6])
    fit.plot.information()
    fit.plot.overimpute(HOSTILE[:4], of=fit.overimpute(k=2))
    fit.plot.scatter(HOSTILE[0], ("a", "$b$"))
    df.em.plot.patterns()
    df.em.plot.coverage()
    with pytest.raises(ColumnError, match="2 columns are labelled '_a_'"):
        fit.plot.scatter("_a_", 3.5)


@pytest.mark.usefixtures("_drawn")
def test_hostile_answers():
    rng = np.random.default_rng(0)
    df = numbers(80)
    df["answer"] = pd.Categorical(rng.choice(["$\\alpha$", "_b", "很" * 40, "D" * 90], 80))
    df.loc[:9, "answer"] = np.nan
    fit = df[["a", "d", "answer"]].em.fit(prior="ridge")
    for axes in (fit.plot.density("answer"), fit.plot.strip("answer"), fit.plot.cells("answer")):
        assert len(axes) == 1


@pytest.mark.parametrize(
    ("label", "drawn"),
    [
        ("plain", "plain"),
        ("$5", r"\$5"),
        ("a\nb", r"a\nb"),
        (("x", 1), "x, 1"),
        (2.0, "2"),
        ("", "''"),
        (" a", "' a'"),
        ("x" * 40, f"{'x' * 18}…{'x' * 9}"),
    ],
)
def test_labels_as_they_are_drawn(label, drawn):
    assert said(label) == drawn


def test_signs_without_a_font():
    """A sign that no font has becomes its escape sequence; one that another font has comes with that font."""
    text = said("年")
    assert text == r"\u5e74" or font(text)["fontfamily"]
    assert said("\U0010fffd") == r"\U0010fffd"
    assert not font("plain", "é", "Ж")


def test_long_labels_stay_apart():
    labels = [f"How satisfied are you with your {what} at present, all in all?" for what in ("job", "health", "home")]
    drawn = each([*labels, "short", "short"])
    assert len(set(drawn)) == 4
    assert all(len(text) <= 30 for text in drawn)
    assert "health" in drawn[1]


@pytest.mark.usefixtures("_drawn")
def test_every_kind_is_drawn(of_kinds):
    everything = of_kinds.kinds.index.tolist()
    plot = of_kinds.plot
    for axes in (plot.density(everything, draws=2), plot.cells(everything)):
        assert [said_above(ax).partition(" ")[0].rstrip(":") for ax in axes] == everything
    dates, waited = plot.strip(["seen", "waited"])
    assert dates.get_ylim()[0] > mpl.dates.date2num(np.datetime64("2017-01-01"))
    assert "hours" in said_above(waited)
    income = plot.density("income")[0]
    assert "log scale" in income.get_xlabel()
    observed = np.log10(of_kinds.data["income"].dropna())
    assert income.lines[0].get_xdata().min() == pytest.approx(observed.min())
    plot.scatter("grade", "waited", draws=1)


# ---- what cannot be drawn


@pytest.mark.usefixtures("_drawn")
def test_nothing_missing():
    """No gaps: a picture that says so, or of what was observed."""
    df = numbers().dropna()
    plot = df.em.fit().plot
    for axes in (plot.density(), plot.strip(), plot.cells()):
        assert [text.get_text() for text in axes[0].texts] == ["No cell is missing: nothing was imputed."]
    assert "nothing imputed" in said_above(plot.density("a")[0])
    assert "no cell of these is missing" in said_above(plot.scatter("a", "b"))
    assert said_above(df.em.plot.patterns()).startswith("No cell is missing")
    assert said_above(plot.information()) == "No information is missing."
    assert "observed together in all" in said_above(df.em.plot.coverage())


def test_a_fit_from_a_file(fit):
    """It holds no data: the trace can be drawn, cells cannot."""
    back = emimpute.read_json(fit.to_json())
    assert said_above(back.plot.trace()) == said_above(fit.plot.trace())
    for name in ("density", "strip", "cells", "scatter", "information"):
        before = plt.get_fignums()
        with pytest.raises(EMImputeError, match="read from a file"):
            picture(back, name)
        assert plt.get_fignums() == before


def test_unknown_columns(fit, found):
    for name in ("density", "strip", "cells", "information", "overimpute"):
        with pytest.raises(ColumnError, match="columns=: There is no column 'q'"):
            picture(fit, name, found, columns=["a", "q"])
    with pytest.raises(ColumnError, match="y=: There is no column 'q'"):
        fit.plot.scatter("a", "q")
    with pytest.raises(ColumnError, match="columns=: There is no column 'q'"):
        numbers().em.plot.patterns("q")
    with pytest.raises(ColumnError, match="columns= is empty"):
        fit.plot.density([])
    assert not plt.get_fignums()


@pytest.mark.parametrize("draws", [-1, 1.5, True, "many"])
def test_other_draws(fit, draws):
    with pytest.raises(EMImputeError, match="draws= is 0, a number of draws or what"):
        fit.plot.density(draws=draws)


def test_imputations_of_another_frame(fit):
    other = numbers(50).em.draw(2, rng=1)
    with pytest.raises(EMImputeError, match="another frame"):
        fit.plot.density(draws=other)


def test_empty_frames():
    for df in (pd.DataFrame(), numbers()[:0]):
        for name in ("patterns", "coverage"):
            with pytest.raises(EMImputeError, match="there is nothing to draw"):
                getattr(df.em.plot, name)()
    with pytest.raises(EMImputeError, match="rows= is how many patterns"):
        numbers().em.plot.patterns(rows=0)


def test_a_single_gap_and_constant_columns():
    df = numbers()[["a", "d"]].dropna().reset_index(drop=True)
    df["same"] = 2.5
    df.loc[0, ["a", "same"]] = np.nan
    fit = df.em.fit()
    for draws in (0, 1, 20):
        axes = fit.plot.density(draws=draws, ax=Figure())
        assert [said_above(ax).partition(":")[0] for ax in axes] == ["a", "same"]
        assert "all cells alike" in said_above(axes[1])
    fit.plot.cells(ax=Figure())
    fit.plot.strip(ax=Figure())


def test_without_matplotlib():
    """The doors open without it, and a picture says which extra to install."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import pandas as pd, emimpute\n"
        "df = pd.DataFrame({'x': [1.0, 2, 3, 5], 'y': [1.0, 3, 2, None]})\n"
        "fit = df.em.fit()\n"
        "print(fit.plot, df.em.plot)\n"
        "for picture in (fit.plot.trace, df.em.plot.patterns):\n"
        "    try:\n        picture()\n"
        "    except emimpute.EMImputeError as error:\n        print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("pip install 'emimpute[plot]'") == 2
    assert "fit.plot.overimpute()" in run.stdout
    assert "df.em.plot.coverage()" in run.stdout
