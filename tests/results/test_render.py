"""A fit prints as one screen, whatever the columns are called and however many there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pages import read

import emimpute
from emimpute.em import Stop
from emimpute.errors import IdentificationWarning
from emimpute.inference.complete import Law
from emimpute.kinds.constant import ConstantCoding
from emimpute.kinds.numbers import Origin
from emimpute.kinds.real import RealCoding
from emimpute.models.mvn import MVN, Normal
from emimpute.models.priors import Shrink
from emimpute.results.problems import Problem
from emimpute.results.trace import Step
from emimpute.table import Table

LINES, WIDTH = 50, 100  # of one screen


def small():
    """A fit whose numbers no change of the engine can change."""
    labels = pd.Index(["age", "pay", "one"])
    codings = [RealCoding(Origin(40.0)), RealCoding(Origin(1000)), ConstantCoding(Origin(1.0))]
    params = Normal(np.array([2.5, -100.0]), np.array([[4.0, 1.0], [1.0, 2500.0]]))
    history = (Step(-9.5, -9.5, 0.1, 1.5e-8, 0.3, 12, accelerated=False),)
    return emimpute.Fit(
        law=Law(Table.of(labels, range(3), codings), MVN(), params),
        nobs=200,
        loglik=-9.5,
        logpost=-9.5,
        n_iter=12,
        n_check=4,
        stop=Stop.CONVERGED,
        prior=None,
        tol=1e-6,
        history=history,
        engine="2 complete columns factored out; EM, Newton finish.",
        findings=(),
        gaps=(20, 5, 0),
        rows=200,
    )


GOLDEN = """\
Multivariate normal EM: 200 rows, 3 columns, 25 cells missing (4.2%)
Stop:           EM converged: the estimated distance to the maximum is below tol.
Engine:         2 complete columns factored out; EM, Newton finish.
E-steps:        12, and 4 for closing checks
Remaining:      estimated 1.5e-08 before the last step (tol 1e-06; sd and correlation units)
Log-likelihood: -9.500000

column  kind      missing  share  mean  sd
age     real           20  10.0%  42.5   2
pay     real            5   2.5%   900  50
one     constant        0   0.0%     1"""

GOLDEN_PROBLEMS = """\
Multivariate normal EM: 200 rows, 3 columns, 25 cells missing (4.2%)
Observations:   180.5 (rows with something observed, times their weights)
Stop:           EM stopped at max_iter before its estimated distance to the maximum fell below tol.
Engine:         2 complete columns factored out; EM, Newton finish.
E-steps:        12, and 4 for closing checks
Remaining:      estimated 1.5e-08 before the last step (tol 1e-06; sd and correlation units)
Log-likelihood: -9.500000
Log posterior:  -8.250000
Prior:          Shrink(df=0.5)

column  kind      missing  share  mean  sd
age     real           20  10.0%  42.5   2
pay     real            5   2.5%   900  50
one     constant        0   0.0%     1

Long long long long long long long long long long long long long long long long long long long long
long. Do this.

Short."""


def test_golden():
    assert small().summary() == GOLDEN
    assert repr(small()) == GOLDEN


def test_golden_with_problems():
    findings = (
        Problem("a", ("age",), f"Long{' long' * 20}.", "Do this.", IdentificationWarning),
        Problem("b", (), "Short.", ""),
    )
    fit = replace(small(), findings=findings, prior=Shrink(0.5), logpost=-8.25, nobs=180.5, stop=Stop.MAX_ITER)
    assert fit.summary() == GOLDEN_PROBLEMS


GOLDEN_HTML = (
    "<div><p><b>Multivariate normal EM: 200 rows, 3 columns, 25 cells missing (4.2%)</b></p>"
    "<table>"
    "<tr><th>Stop</th><td>EM converged: the estimated distance to the maximum is below tol.</td></tr>"
    "<tr><th>Engine</th><td>2 complete columns factored out; EM, Newton finish.</td></tr>"
    "<tr><th>E-steps</th><td>12, and 4 for closing checks</td></tr>"
    "<tr><th>Remaining</th>"
    "<td>estimated 1.5e-08 before the last step (tol 1e-06; sd and correlation units)</td></tr>"
    "<tr><th>Log-likelihood</th><td>-9.500000</td></tr>"
    "</table>"
    "<table><thead><tr><th>column</th><th>kind</th><th>missing</th><th>share</th><th>mean</th><th>sd</th></tr></thead>"
    "<tbody>"
    '<tr><td>age</td><td>real</td><td class="number">20</td><td class="number">10.0%</td>'
    '<td class="number">42.5</td><td class="number">2</td></tr>'
    '<tr><td>pay</td><td>real</td><td class="number">5</td><td class="number">2.5%</td>'
    '<td class="number">900</td><td class="number">50</td></tr>'
    '<tr><td>one</td><td>constant</td><td class="number">0</td><td class="number">0.0%</td>'
    '<td class="number">1</td><td class="number"></td></tr>'
    "</tbody></table></div>"
)


def test_golden_html():
    assert small()._repr_html_() == GOLDEN_HTML


def wide(columns, seed=0):
    """A fit of many columns that says of itself all it can."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3 * columns, columns))
    x[rng.random(x.shape) < 0.1] = np.nan
    df = pd.DataFrame(x, columns=[f"item {i}" for i in range(columns)])
    df["item 1"] = 2 * df["item 0"]
    df.loc[3] = np.nan
    df["one"] = 1
    with pytest.warns(emimpute.EMImputeWarning):
        return df.assign(one=1).em.fit(max_iter=2)


@pytest.mark.parametrize("columns", [4, 60])
def test_one_screen(columns):
    fit = wide(columns)
    lines = fit.summary().split("\n")
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH
    assert [line for line in lines if line != line.rstrip()] == []
    assert fit.stop.value in fit.summary()
    for problem in fit.findings[:3]:
        assert problem.sentence.split()[0] in fit.summary()
    cut = f"... and {columns + 1 - 20} more columns: see fit.mean, fit.kinds"
    assert (cut in lines) == (columns > 20)
    assert (cut in fit._repr_html_()) == (columns > 20)
    assert fit._repr_html_().count('<td class="number">') == 4 * min(columns + 1, 20)


def test_an_unknown_distance():
    fit = small()
    fit = replace(fit, history=(fit.history[-1]._replace(remaining=np.inf),))
    assert "Remaining:      unknown before the last step (tol 1e-06" in fit.summary()


def test_a_group_is_named_first():
    """Of a fit under ``by=``; what is hostile in its name is only text, and what is long is cut in the middle."""
    fit = replace(small(), group="g = '<b>\n'")
    first = fit.summary().split("\n")[0]
    assert first.startswith("Multivariate normal EM where g = '<b>\\n': ")
    assert "<b>Multivariate normal EM where g = &#x27;&lt;b&gt;" in fit._repr_html_()
    lines = replace(fit, group="g = " + 500 * "x" + "yz").summary().split("\n")
    assert max(map(len, lines)) <= 100
    assert "xyz:" in lines[0] + lines[1]


def test_many_problems_are_counted():
    findings = tuple(Problem(f"p{i}", (), f"Sentence {i}.", "") for i in range(9))
    said = replace(small(), findings=findings).summary().split("\n")
    assert "Sentence 5." in said
    assert "Sentence 6." not in said
    assert said[-1] == "Also: p6, p7 and p8. See fit.problems."


HOSTILE = [
    "<script>alert(1)</script>",
    "a & b",
    "\"quoted\" and 'single'",
    "</td><img src=x onerror=alert(1)>",
    "line\nbreak\tand\x1b[31mred",
    "&lt;",
    "very long " * 30,
    "größe ∑ 長さ",
]


def hostile():
    rng = np.random.default_rng(0)
    df = pd.DataFrame(rng.normal(size=(30, len(HOSTILE))), columns=HOSTILE)
    df.iloc[3, :] = np.nan
    df[HOSTILE[1]] = 2 * df[HOSTILE[0]]
    df[HOSTILE[2]] = 1.0
    df["c"] = pd.Categorical([1, 2, None] * 10, categories=[1, 2], ordered=True)
    with pytest.warns(emimpute.IdentificationWarning):
        return df.em.fit()


def test_hostile_labels_are_only_text():
    """In the notebook, where labels also stand inside the problems' sentences."""
    fit = hostile()
    reader = read(fit._repr_html_())
    assert set(reader.tags) <= {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert {name for _, name, _ in reader.attributes} == {"class"}
    for label in HOSTILE[:4]:
        assert label in reader.text
    assert "&lt;" in reader.texts
    assert "line\\nbreak\\tand\\x1b[31mred" in reader.text
    assert f"{('very long ' * 30)[:37]}..." in reader.text
    assert "\x1b" not in fit.summary()
    assert max(map(len, fit.summary().split("\n"))) <= WIDTH


def test_printing_does_not_depend_on_the_users_options():
    before = hostile()
    shown = before.summary(), before._repr_html_()
    with pd.option_context(
        "display.max_colwidth", 8, "display.precision", 1, "display.max_rows", 2, "display.width", 20
    ):
        assert (before.summary(), before._repr_html_()) == shown
