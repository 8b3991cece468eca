"""What was missing: by column, in which patterns, which columns were seen together, and whether at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emimpute.errors import EMImputeError, phrase
from emimpute.latent import coverage, patterns
from emimpute.results.labels import name, names
from emimpute.results.page.drawing import mask
from emimpute.results.page.markup import Html, bar, element, facts, joined, label, listed, more, note, section, table

if TYPE_CHECKING:
    from emimpute.latent import Patterns
    from emimpute.results.mcar import MCARTest
    from emimpute.results.page.seen import Rows, Seen

__all__ = ["little", "missing_part"]

_COLUMNS = 40  # that are listed
_PATTERNS = 15
_PAIRS = 10
_TOGETHER = 12  # columns up to which all pairs are shown
_STRIP = 60  # columns with gaps up to which a pattern is drawn
_NAMED = 8  # columns of a pattern
_CONTRIBUTIONS = 6
_COST = 3e9  # patterns times cubes of columns; tables at a third of it and at all of it took 3 seconds of one core
_SMALL = 1e-4

_NO_ROWS = (
    "This fit holds no rows, as one that was read from a file: patterns, coverage, the MCAR test and what was filled "
    "are not known here. Fit the data anew for a full report."
)


def missing_part(seen: Seen, test: MCARTest | str) -> Html:
    """The section; ``test`` is Little's, or why there is none."""
    parts = [_by_column(seen)]
    if seen.rows is None:
        parts.append(note(_NO_ROWS))
    else:
        found = patterns(~seen.rows.gaps)
        parts += [_patterns(seen, found), _coverage(seen, found), _mcar(test, weighted=seen.fit.weights is not None)]
    return section("missing", "What was missing", *parts)


def _by_column(seen: Seen) -> Html:
    fit, names_ = seen.fit, seen.names
    order = sorted(range(len(names_)), key=lambda i: (-fit.gaps[i], i))
    lacking = [i for i in order if fit.gaps[i]]
    rows = [
        (label(names_[i]), str(fit.gaps[i]), f"{fit.gaps[i] / fit.rows:.1%}", bar(fit.gaps[i] / fit.rows))
        for i in lacking[:_COLUMNS]
    ]
    whole = len(names_) - len(lacking)
    said = [f"{_some(len(lacking), 'column')} of {len(names_)} had gaps"]
    if seen.rows is not None:
        n, complete = fit.rows, int((~seen.rows.gaps.any(axis=1)).sum())
        said.append(f"{complete} of {_some(n, 'row')} ({_share(complete, n)}) had none")
        if empty := int(seen.rows.gaps.all(axis=1).sum()):
            said.append(f"in {_some(empty, 'row')} nothing at all was observed")
    parts: list[str] = [element("p", f"{'; '.join(said)}.")]
    if rows:
        parts.append(table("Missing cells by column", ("column", "missing", "share", ""), rows))
        parts.append(more(len(lacking) - _COLUMNS, "column", "those with the most gaps are shown"))
    if whole and lacking:
        parts.append(note(f"Without a gap: {names([fit.law.table.labels[i] for i in order if not fit.gaps[i]], 12)}."))
    if seen.rows is not None and seen.rows.others:
        parts.append(_took_no_part(seen.rows))
    return joined(parts)


def _took_no_part(rows: Rows) -> Html:
    told = [
        name(rows.labels[i]) + (f" ({_some(gaps, 'missing cell')})" if gaps else "") for i, gaps in rows.others.items()
    ]
    return note(f"In the data, but not in the model: {phrase(told, 12)}.")


def _patterns(seen: Seen, found: Patterns) -> Html:
    lacking = (~found.masks).sum(axis=1)
    order = np.lexsort((lacking, -found.counts))
    labels, n = seen.fit.law.table.labels, len(found.of_row)
    holes = np.flatnonzero([gap > 0 for gap in seen.fit.gaps])
    drawn = 0 < len(holes) <= _STRIP
    rows = []
    for k in order[:_PATTERNS]:
        gone = ~found.masks[k]
        what = label(names(labels[gone], _NAMED)) if gone.any() else element("i", "nothing")
        strip = [mask(gone[holes].tolist())] if drawn else []
        share = found.counts[k] / n
        rows.append((what, *strip, str(found.counts[k]), f"{share:.1%}", bar(share)))
    head = ("missing together", *(["pattern"] if drawn else []), "rows", "share", "")
    said = (
        note(
            f"A strip has a place for each of the {_some(len(holes), 'column')} with gaps; filled where it is missing."
        )
        if drawn
        else Html("")
    )
    rest = int(found.counts[order[_PATTERNS:]].sum())
    return joined(
        [
            element("h3", f"Patterns: {len(found.counts)}"),
            table("Missingness patterns, the most frequent first", head, rows, words=2 if drawn else 1),
            more(len(order) - _PATTERNS, "pattern", f"they have {_some(rest, 'row')} together"),
            said,
        ]
    )


def _coverage(seen: Seen, found: Patterns) -> Html:
    together, told = coverage(found).astype(int), seen.names
    d = len(told)
    if d < 2:
        return Html("")
    parts: list[str] = [element("h3", "Observed together")]
    if d <= _TOGETHER:
        rows = [(label(told[i]), *(str(together[i, j]) if j <= i else "" for j in range(d))) for i in range(d)]
        parts.append(
            table("Rows in which both are observed (on the diagonal: the column itself)", ("", *map(label, told)), rows)
        )
    else:
        first, second = np.triu_indices(d, 1)
        counts = together[first, second]
        order = np.argsort(counts, kind="stable")[:_PAIRS]
        rows = [
            (label(told[first[k]]), label(told[second[k]]), str(counts[k]), bar(counts[k] / max(len(found.of_row), 1)))
            for k in order
        ]
        parts.append(table("The pairs observed together least often", ("column", "and", "rows", ""), rows, words=2))
        parts.append(more(len(counts) - len(order), "pair", "df.em.coverage() has them all"))
    lower = np.tril_indices(d, -1)
    seen_alone = np.diag(together) > 0
    never = int((together[lower] == 0)[seen_alone[lower[0]] & seen_alone[lower[1]]].sum())
    said = f"{_some(never, 'pair')} of columns {'was' if never == 1 else 'were'} never observed together: of their "
    said += "association, given the others, the data say nothing." if never else ""
    parts.append(note(said if never else "Every pair of columns was observed together in some row."))
    return joined(parts)


def little(seen: Seen) -> MCARTest | str:
    """Little's test of the model's columns of numbers; or, in a sentence, why there is none."""
    from emimpute.mechanism import mcar_test  # noqa: PLC0415 (it fits, so the import goes both ways)

    if seen.rows is None:
        return "The test needs the data."
    n, m = seen.rows.gaps.shape
    if not seen.rows.gaps.any():
        return "No cell was missing, so there is nothing to test."
    if len(patterns(~seen.rows.gaps).counts) * m**3 > _COST:
        return f"Left out for its cost ({n} rows, {m} columns): emimpute.mcar_test(df) makes the test."
    try:
        test = mcar_test(seen.rows.before)
    except EMImputeError as problem:
        return str(problem)
    return test if test.df else " ".join(test.notes)


def _mcar(test: MCARTest | str, *, weighted: bool) -> Html:
    head = element("h3", "Missing completely at random?")
    if isinstance(test, str):
        return joined([head, element("p", test)])
    p = f"below {_SMALL:.4f}" if test.pvalue < _SMALL else f"{test.pvalue:.4f}"
    said = (
        "A small p-value speaks against it. A large one is no proof, and no test tells whether gaps depend on what is "
        "missing itself. Maximum likelihood asks for less: that they depend on what was observed."
    )
    told = [
        ("Little's test", f"d² = {test.statistic:.2f} on {test.df} degrees of freedom"),
        ("p-value", p),
        ("Effect size", f"{test.effect_size:.3f} sd between the patterns' means, beyond chance"),
    ]
    contribution, share = (test.by_variable[of].to_numpy(dtype=float) for of in ("contribution", "share"))
    order = np.argsort(-contribution, kind="stable")[:_CONTRIBUTIONS]
    rows = [
        (label(name(test.by_variable.index[k])), f"{contribution[k]:.2f}", f"{share[k]:.1%}", bar(float(share[k])))
        for k in order.tolist()
    ]
    notes = [*test.notes, *(["Each row counts once here, whatever its weight."] if weighted else [])]
    for reason, own in test.left_out.groupby("reason", sort=False):
        notes.append(f"Not tested ({reason}): {names(own['column'], 12)}.")
    parts = [
        head,
        facts(told),
        table("Contributions to d², the largest first", ("column", "contribution", "share", ""), rows),
        more(len(test.by_variable) - len(rows), "column", "emimpute.mcar_test(df).by_variable has them all"),
        note(said),
        listed(notes, "note"),
    ]
    return joined(parts)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _some(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
