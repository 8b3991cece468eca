"""The page: what it says is true, what it holds is harmless, and it is the same every time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dtypes import ANSWERS, COLUMNS
from pages import complaints, read, tables

import emimpute
from emimpute.__main__ import main
from emimpute.results.page import gaps, page, run
from emimpute.results.page.markup import Html, element
from emimpute.results.trace import Step

GOLDEN = Path(__file__).parent / "golden" / "report.html"
VERSIONS = "emimpute 0 (Python 0, pandas 0, NumPy 0)"
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "--><!--",
    "]]>",
    "&lt;b&gt; &amp;",
    "url(https://example.org/x.png)",
    "javascript:alert(1)",
]
HIDDEN = {"line\nbreak": "line\\nbreak", "left\u202eright": "left\\u202eright", "\x00\x1b[31m": "\\x00\\x1b[31m"}


def table(rows=60, seed=0, columns=4):
    """Correlated columns with a tenth of the cells missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) + rng.normal(size=(rows, 1))
    x[rng.random(x.shape) < 0.1] = np.nan
    return pd.DataFrame(x, columns=[f"x{i}" for i in range(columns)])


def mixed(rows=80):
    """Numbers, dates, answers in order, and yes or no."""
    df = table(rows)
    day = pd.to_timedelta((30 * df["x2"]).round(), unit="D")
    answers = pd.cut(df["x3"], [-9, -0.7, 0.9, 9], labels=["no", "perhaps", "yes"])
    when = pd.Timestamp("2020-03-01") + day
    return pd.DataFrame({"x": 10 + df["x0"], "<i>y</i> & z": df["x1"], "when": when, "agree": answers})


def fitted(df, **how):
    """A fit, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        return df.em.fit(**how)


def written(fit, path, **how):
    fit.report(path, **how)
    return path.read_text(encoding="utf-8")


# --- the same every time ----------------------------------------------------------------------------------------------


def golden_page(monkeypatch):
    """The page of a small frame, without what differs between computers: versions, and the last digits of a run."""
    for room in ("emimpute.results.methods", "emimpute.results.page"):
        monkeypatch.setattr(f"{room}.software", lambda: VERSIONS)
    fit = fitted(mixed(), tol=1e-9)
    history = (Step(-480.0, -480.0, 0.5, float("nan"), 0.5, 1, False), Step(-479.5, -479.5, 0.1, 0.02, 0.5, 9, True))
    history += (Step(-479.25, -479.25, 1e-9, 2e-10, 0.4, 12, False),)
    fit = replace(fit, history=history, loglik=-479.25, logpost=-479.25, n_iter=12, n_check=3)
    return page(fit)


def test_golden(monkeypatch):
    """To write it anew, after a look at it: GOLDEN=1 python -m pytest tests/results/test_report.py -k golden."""
    said = golden_page(monkeypatch)
    if os.environ.get("GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(said + "\n", encoding="utf-8")
    assert said.split("\n") == GOLDEN.read_text(encoding="utf-8").split("\n")[:-1]


def test_the_same_bits(tmp_path):
    """From two fits of the same data, with any of pandas' options, and when written again."""
    first = written(fitted(mixed()), tmp_path / "a.html")
    fit = fitted(mixed())
    assert written(fit, tmp_path / "b.html") == first == written(fit, tmp_path / "b.html")
    with pd.option_context("display.precision", 1, "display.max_colwidth", 5, "display.max_rows", 2):
        assert written(fitted(mixed()), tmp_path / "c.html") == first


# --- what it says is true ---------------------------------------------------------------------------------------------


def test_what_was_missing():
    df = mixed()
    said = page(fitted(df))
    found = tables(said)
    told = {row[0]: (row[1], row[2]) for row in found["Missing cells by column"][1:]}
    lacking = df.isna().sum()
    assert told == {c: (str(lacking[c]), f"{lacking[c] / 80:.1%}") for c in df if lacking[c]}

    patterns = df.em.patterns()
    rows = found["Missingness patterns, the most frequent first"][1:]
    assert [int(row[2]) for row in rows] == patterns["rows"].tolist()
    names = [", ".join(c for c in df if not own[c]) or "nothing" for _, own in patterns.iterrows()]
    assert [row[0] for row in rows] == names
    assert f"Patterns: {len(patterns)}" in read(said).text

    together = df.em.coverage()
    rows = found["Rows in which both are observed (on the diagonal: the column itself)"][1:]
    assert [row[0] for row in rows] == list(df)
    assert [[int(x) for x in row[1:] if x] for row in rows] == [together.iloc[i, : i + 1].tolist() for i in range(4)]
    assert f"{int(df.notna().all(axis=1).sum())} of 80 rows" in read(said).text

    test = df.em.mcar_test()
    text = read(said).text
    assert f"d² = {test.statistic:.2f} on {test.df} degrees of freedom" in text
    assert f"{test.pvalue:.4f}" in text
    assert "Not tested (kind ordinal): agree." in text


def test_how_em_went():
    fit = fitted(mixed())
    said = page(fit)
    text = read(said).text
    assert fit.stop.value in text
    assert f"{fit.loglik:.6f}" in text
    assert f"{fit.diagnostics.rate:.4f}, the largest fraction" in text
    assert fit.diagnostics.worst in text
    rows = tables(said)["Fractions of missing information, the largest first"][1:]
    largest = fit.diagnostics.missing_information.nlargest(12)
    assert [row[1] for row in rows] == [f"{x:.4f}" for x in largest]
    caption = next(c for c in tables(said) if c.startswith("Iterates"))
    assert tables(said)[caption][-1][2] == f"{fit.trace['loglik'].iloc[-1]:.6f}"


def test_problems_come_with_their_remedies():
    df = table().assign(twice=lambda d: 2 * d["x0"])
    fit = fitted(df, max_iter=2)
    text = read(page(fit)).text
    assert fit.findings
    for problem in fit.findings:
        assert problem.sentence in text
        assert problem.remedy in text
    assert f"{sum(p.warning is not None for p in fit.findings)}warnings" in text


def test_what_was_filled():
    """As pandas counts and describes it; dates as dates."""
    df = mixed()
    fit = fitted(df)
    done, found = fit.impute(), tables(page(fit))
    head, *rows = found["Numbers and times"]
    assert head == ["column", "kind", "", "cells", "of rows", "mean", "sd", "least", "greatest"]
    for observed, filled in zip(rows[::2], rows[1::2], strict=True):
        label = observed[0]
        here, there = df[label].dropna(), done[label][df[label].isna()]
        assert (observed[2:4], filled[2:4]) == (["observed", str(len(here))], ["filled", str(len(there))])
        if label == "when":
            assert observed[7:] == [f"{x:%Y-%m-%d %H:%M}" for x in (here.min(), here.max())]
            assert filled[5] == f"{there.mean().round('min'):%Y-%m-%d %H:%M}"
        else:
            for row, own in ((observed, here), (filled, there)):
                told = (own.mean(), own.std(ddof=0), own.min(), own.max())
                assert [float(x) for x in row[5:]] == pytest.approx(told, rel=1e-5)
    ((name, kind, observed, filled, count, share),) = found["Categories"][1:]
    there = done["agree"][df["agree"].isna()]
    assert (name, kind.strip(), count, share) == ("agree", "ordinal", str(len(there)), f"{len(there) / 80:.1%}")
    for told, own in ((observed, df["agree"]), (filled, there)):
        shares = own.value_counts(normalize=True)
        assert {part.rsplit(" ", 1)[0]: part.rsplit(" ", 1)[1] for part in told.split(", ")} == {
            level: f"{shares[level]:.0%}" for level in shares.index if shares[level] > 0
        }


def test_large_numbers_keep_their_spread():
    """Integers and floats so large that floats beside them are far apart."""
    df = table()[["x0", "x1"]]
    whole = (1000 * df["x0"]).round().astype("Int64")
    df = df.assign(large=whole + 2**62, far=(df["x1"] * 16).round() * 16 + 1e17)
    fit = fitted(df)
    said = page(fit)
    told = {row[0]: row for row in tables(said)["Numbers and times"][1:] if row[0]}
    assert float(told["large"][6]) == pytest.approx(whole.astype(float).std(ddof=0), rel=1e-5)
    assert complaints(said) == []


def test_what_was_left_and_drawn(tmp_path):
    """`fill=`, `where=` and `sample=` are in the page, since it has the very frame that was returned."""
    df = table()
    df.em.impute(fill=["x0", "x1"], report=tmp_path / "a.html")
    left = int(df[["x2", "x3"]].isna().sum().sum())
    text = read((tmp_path / "a.html").read_text(encoding="utf-8")).text
    assert f"{int(df[['x0', 'x1']].isna().sum().sum())} cells were filled, in 2 columns; {left} left missing." in text
    assert f"{left} missing cells were left as they were." in text
    done = df.em.impute(sample=True, rng=1, report=tmp_path / "b.html")
    said = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "one draw" in read(said).text
    assert "conditional expectation" not in read(said).text
    means = {r[0]: float(f[5]) for r, f in zip(*[iter(tables(said)["Numbers and times"][1:])] * 2, strict=True)}
    assert means == pytest.approx({c: done[c][df[c].isna()].mean() for c in df}, rel=1e-5)


def test_a_completed_frame_of_ones_own(tmp_path):
    df = table()
    fit = df.em.fit()
    own = df.fillna(0.0)
    said = written(fit, tmp_path / "a.html", done=own, title="Zeros")
    assert "Zeros" in read(said).text
    assert "given to this report" in read(said).text
    assert {row[5] for row in tables(said)["Numbers and times"][2::2]} == {"0"}
    with pytest.raises(emimpute.EMImputeError, match="done= has 59 rows, and the fit was made from 60"):
        fit.report(tmp_path / "b.html", done=own.iloc[1:])
    with pytest.raises(emimpute.ColumnError, match="x0"):
        fit.report(tmp_path / "b.html", done=own.drop(columns="x0"))
    with pytest.raises(emimpute.EMImputeError, match="other row labels than the fitted frame"):
        fit.report(tmp_path / "b.html", done=own.iloc[::-1])
    assert not (tmp_path / "b.html").exists()


def test_a_page_for_each_group(tmp_path):
    """Of its own rows, and headed by its name."""
    df = table().assign(g=["a", "b/c"] * 30)
    df.loc[:20, "x0"] = 1.0
    df.em.impute(by="g", report=tmp_path / "r.html")
    for path, value in zip(sorted(tmp_path.iterdir()), ("a", "b/c"), strict=True):
        own = df[df["g"] == value]
        said = path.read_text(encoding="utf-8")
        assert f"g = '{value}'" in read(said).text
        told = {row[0]: int(row[1]) for row in tables(said)["Missing cells by column"][1:]}
        assert told == {c: n for c, n in own.isna().sum().items() if n}
        assert complaints(said) == []


def test_a_fit_from_a_file_says_what_it_can(tmp_path):
    fit = emimpute.read_json(fitted(mixed()).to_json())
    said = written(fit, tmp_path / "r.html")
    text = read(said).text
    assert "This fit holds no rows" in text
    assert fit.stop.value in text
    assert "Missing cells by column" in tables(said)
    assert "Dempster" in text
    assert 'href="#filled"' not in said
    assert complaints(said) == []


def test_an_mcar_test_that_cannot_be():
    """No gaps; no column of numbers."""
    whole = fitted(table().fillna(0.0))
    assert "No cell was missing, so there is nothing to test." in read(page(whole)).text
    answers = (table(90)[["x0", "x1"]] > 0).astype("boolean").mask(table(90, seed=1)[["x0", "x1"]].isna().to_numpy())
    assert "There is nothing to test: no column of numbers that vary." in read(page(fitted(answers))).text


def test_what_takes_long_is_left_out(monkeypatch):
    monkeypatch.setattr(gaps, "_COST", 0)
    monkeypatch.setattr(run, "_COST", 0)
    fit = fitted(table())
    text = read(page(fit)).text
    assert "emimpute.mcar_test(df) makes the test" in text
    assert "a report written after a look at fit.diagnostics has them" in text
    assert "diagnostics" not in vars(fit)
    rate = fit.diagnostics.rate
    assert f"{rate:.4f}, the largest fraction" in read(page(fit)).text


# --- long tables are cut ----------------------------------------------------------------------------------------------


def test_many_columns_and_patterns():
    df = table(rows=400, columns=70)
    df["whole"] = np.arange(400.0)
    fit = fitted(df)
    said = page(fit)
    text = read(said).text
    assert len(said) < 200_000
    patterns = len(df.em.patterns())
    assert f"... and {patterns - 15} more patterns" in text
    assert "... and 30 more columns: those with the most gaps are shown" in text
    assert f"... and {71 * 70 // 2 - 10} more pairs" in text
    assert "... and 10 more columns: those with the most filled are shown" in text
    assert "Without a gap: whole." in text
    counts = [int(row[2]) for row in tables(said)["The pairs observed together least often"][1:]]
    together = df.em.coverage().to_numpy()
    assert counts == sorted(together[np.triu_indices(71, 1)].tolist())[:10]


def test_labels_are_cut_in_the_middle():
    """Questions of one battery differ at the end."""
    df = table()
    df.columns = [f"How much do you agree with the following statement, number {i}" for i in range(4)]
    text = read(page(df.em.fit())).text
    for i in range(4):
        assert f"How much do you agree w...ment, number {i}" in text


# --- nothing in it runs or asks for anything --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ("<script>1</script>", "<script>"),
        ("<p onclick='1'>x</p>", "onclick of <p>"),
        ("<a href='https://example.org'>x</a>", "href=https://example.org"),
        ("<a href='javascript:1'>x</a>", "href=javascript:1"),
        ("<style>p{background:url(x.png)}</style>", "url( in the style sheet"),
        ("<style>@import 'x'</style>", "@import in the style sheet"),
        ("<iframe></iframe>", "<iframe>"),
        ("<object></object>", "<object>"),
        ("<p style='color:red'>x</p>", "style=color:red"),
        ("<meta http-equiv='refresh' content='0'>", "http-equiv of <meta>"),
    ],
)
def test_the_parser_would_see_it(bad, what):
    """Put into a page that is well."""
    said = GOLDEN.read_text(encoding="utf-8")
    assert complaints(said) == []
    assert what in complaints(said.replace("<main>", f"<main>{bad}"))


def hostile():
    """Hostile labels, categories, and values that are none, with problems that name them."""
    rng = np.random.default_rng(0)
    labels = [*HOSTILE, *HIDDEN, ("a", "<b>"), 7]
    df = pd.DataFrame(rng.normal(size=(90, len(labels))))
    df.columns = pd.Index(labels, tupleize_cols=False)
    df = df.mask(rng.random(df.shape) < 0.1)
    df[labels[1]] = 2 * df[labels[0]]
    df[labels[2]] = 1.0
    df["answers"] = pd.Categorical(rng.choice(HOSTILE[2:4], 90))
    df["order"] = pd.Categorical(rng.choice(HOSTILE[4:7], 90), categories=HOSTILE[4:7], ordered=True)
    df.loc[:5, ["answers", "order"]] = None
    df["<u>remark</u>"] = [f"{HOSTILE[0]} {i}" for i in range(90)]
    return df


@pytest.fixture(scope="module")
def dreadful():
    df = hostile()
    return fitted(df, columns=[c for c in df if c != "<u>remark</u>"])


def test_hostile_labels_and_categories_are_only_text(dreadful, tmp_path):
    fit = replace(dreadful, group=f"g = {HOSTILE[0]}")
    said = written(fit, tmp_path / "r.html", title=HOSTILE[1])
    assert complaints(said) == []
    text = read(said).text
    for label in [*HOSTILE, *HIDDEN.values(), "('a', '<b>')", "<u>remark</u>"]:
        assert label in text
    assert not set(HIDDEN) & set(re.findall(r"[\x00-\x09\x0b-\x1f\u202e]", said))
    assert read(said).tags.count("style") == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: fitted(table().fillna(0.0)),
        lambda: fitted(pd.DataFrame({"a": [1.0, 1.0, np.nan], "b": [2, 2, 2]})),
        lambda: fitted(table().assign(w=2.5), weights="w"),
        lambda: fitted(table(rows=3)),
        lambda: fitted(table(), starts=3, rng=1),
        lambda: fitted(table(), prior="auto"),
        lambda: fitted(table(), columns=["x1"]),
        lambda: fitted(table().set_axis(list("aabb"), axis=1)),
        lambda: fitted(table().set_axis(pd.MultiIndex.from_product([["<a>", "b"], [1, 2]]), axis=1)),
        lambda: fitted(pd.DataFrame({"x": [1.0, np.nan, 3.0, 2.0], "y": [np.nan, 2.0, 1.0, 5.0]}), prior=3),
        lambda: fitted(table().map(lambda x: x * 1e-100)),
    ],
    ids=["whole", "constant", "weights", "few", "starts", "auto", "one", "duplicates", "levels", "tiny", "small"],
)
def test_every_sort_of_fit_has_a_harmless_page(make):
    said = page(make())
    assert complaints(said) == []
    assert "For a paper" in read(said).text
    assert not re.search(r"\bnan\b|\bNaN\b|\binf\b|None(?! of the columns)", read(said).text)


@pytest.mark.parametrize("dtype", [*COLUMNS, *ANSWERS])
def test_every_dtype_has_a_harmless_page(dtype):
    """And tells its filled cells, as many as there are gaps."""
    values = table(40)["x0"].mul(20).add(50).clip(0, 100).round()
    if dtype in ANSWERS:
        values = values.where(values.isna(), np.arange(40.0))
    column = {**COLUMNS, **ANSWERS}[dtype](values.to_numpy())
    fit = fitted(pd.DataFrame({"<b>": column, "y": table(40)["x1"]}))
    said = page(fit)
    assert complaints(said) == []
    numbers, categories = (tables(said).get(caption, []) for caption in ("Numbers and times", "Categories"))
    below = [next_[3] for row, next_ in pairwise(numbers) if row[0] == "<b>"]
    assert [*below, *(row[4] for row in categories if row[0] == "<b>")] == [str(int(column.isna().sum()))]


def test_markup_escapes_what_is_not_markup():
    assert element("p", "<b>", Html("<i></i>"), class_='"x"') == '<p class="&quot;x&quot;">&lt;b&gt;<i></i></p>'
    assert isinstance(element("p"), Html)
    assert not isinstance(element("p") + "<b>", Html)


# --- the command, and a browser ---------------------------------------------------------------------------------------


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys):
    """Headed by the file's name; in it the command's own words, and the cells that were filled."""
    monkeypatch.chdir(tmp_path)
    df = table().assign(x4=lambda d: 2 * d["x0"])
    df.to_csv("in.csv", index=False)
    argv = ["impute", "in.csv", "-o", "out.csv", "--fill", "x1", "--report", "r.html", "--quiet"]
    assert main(argv) == 0
    capsys.readouterr()
    said = Path("r.html").read_text(encoding="utf-8")
    assert complaints(said) == []
    text = read(said).text
    assert "in.csv" in text
    assert f"{df['x1'].isna().sum()} cells were filled, in 1 column;" in text


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NARROW = 420  # pixels

MEASURE = """<!DOCTYPE html><iframe id="page" src="{page}" style="width:{width}px;height:900px"></iframe>
<p id="said"></p><script>onload = () => {{ const inside = document.getElementById("page").contentDocument;
const flat = [...inside.querySelectorAll("svg, table, p")].filter(drawn => !drawn.getBoundingClientRect().height);
document.getElementById("said").textContent = "width " + inside.documentElement.scrollWidth + ", scripts "
+ inside.scripts.length + ", rules " + inside.styleSheets[0].cssRules.length + ", flat " + flat.length
+ ", letters " + inside.body.innerText.length; }}</script>"""


def browse(*argv):
    """What Chromium prints, without a network."""
    sandbox = ["--no-sandbox"] if sys.platform == "linux" and os.geteuid() == 0 else []
    options = ["--headless", "--disable-gpu", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND", *sandbox]
    done = subprocess.run([CHROMIUM, *options, *argv], capture_output=True, timeout=120, check=True)
    return done.stdout.decode()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_browser_shows_it(dreadful, tmp_path):
    """On a narrow screen nothing is wider than that, nothing has no height, and its words are there to be read."""
    path = tmp_path / "r.html"
    dreadful.report(path)
    (tmp_path / "m.html").write_text(MEASURE.format(page=path.as_uri(), width=NARROW), encoding="utf-8")
    argv = (f"--user-data-dir={tmp_path / 'u'}", "--allow-file-access-from-files", "--dump-dom")
    said = browse(*argv, (tmp_path / "m.html").as_uri())
    told = re.search(r"width (\d+), scripts (\d+), rules (\d+), flat (\d+), letters (\d+)", said).groups()
    width, scripts, rules, flat, letters = map(int, told)
    assert width <= NARROW
    assert scripts == 0
    assert rules > 40  # the style sheet was read to its end
    assert flat == 0
    assert letters > 10_000
