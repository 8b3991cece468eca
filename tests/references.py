"""The reference cases as Python values: ``cases("ml")`` names them, ``load(name)`` gives a frozen :class:`Case`.

What the numbers are, where they come from and how exact they are: ``reference/README.md``.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parent / "reference"

# "ml": one finite maximum. "flat": the likelihood has a maximum, but along a whole direction. "none": it has none.
Status: TypeAlias = Literal["ml", "flat", "none"]


@dataclass(frozen=True, eq=False)
class Mode:
    """A posterior mode under norm2's ridge prior, by norm2 and a second EM."""

    df: float
    frame: pd.DataFrame  # (n, d): the case's columns that enter, which are fewer where some are constant
    mean: pd.Series  # (d,)
    cov: pd.DataFrame  # (d, d)
    loglik: float | None  # with the 2 pi constant
    logpost: float | None  # loglik plus norm2's log prior, its normalising constant left out


@dataclass(frozen=True, eq=False)
class Case:
    """One table with gaps, and what independent software says of it."""

    name: str
    status: Status
    frame: pd.DataFrame  # (n, d), as read_csv gives it, the columns of the model only
    mean: pd.Series | None  # (d,) None where there is no ML
    cov: pd.DataFrame | None  # (d, d) divisor n
    loglik: float | None  # all constants included
    identified: pd.DataFrame | None  # (d, d) of bool, if "flat": the entries of cov that the data determine
    identified_mean: pd.Series | None  # (d,) of bool, likewise
    missing: pd.DataFrame | None  # a row per missing cell: row (position), column, estimate, sd
    modes: tuple[Mode, ...]
    expected: dict[str, Any]  # everything on file: standard errors, EM rate, Little's test, ...

    @property
    def columns(self) -> list[str]:
        """Labels of the columns in the model."""
        return list(self.frame)

    @property
    def imputed(self) -> pd.DataFrame | None:
        """The frame with every gap at its conditional mean at the ML, as floats."""
        if self.missing is None:
            return None
        return self._spread("estimate", self.frame.astype(float))

    @property
    def condsd(self) -> pd.DataFrame | None:
        """Conditional sds of the missing cells at the ML, NaN at observed ones; None where they are not on file."""
        if self.missing is None or self.missing["sd"].isna().any():
            return None
        return self._spread("sd", self.frame.astype(float) * np.nan)

    def _spread(self, what: str, onto: pd.DataFrame) -> pd.DataFrame:
        values = onto.to_numpy(copy=True)
        values[self.missing["row"], onto.columns.get_indexer(self.missing["column"])] = self.missing[what]
        return pd.DataFrame(values, index=onto.index, columns=onto.columns)


def cases(status: Status | None = None) -> list[str]:
    """Names of the cases, all or those of one status."""
    names = sorted(path.stem for path in (FOLDER / "expected").glob("*.json"))
    return [name for name in names if status is None or _status(_read(name)) == status]


def load(name: str) -> Case:
    """The case called ``name``, with frames of its own."""
    expected = _read(name)
    columns = expected["columns"]
    frame = pd.read_csv(FOLDER / "data" / f"{name}.csv")[columns]
    cov = expected.get("Sigma", expected.get("Sigma_from_default_start"))
    mask, mean_mask = expected.get("identified_mask"), expected.get("mu_identified")
    if mask is not None and mean_mask is None:
        mean_mask = [True] * len(columns)
    cells = FOLDER / "expected" / f"{name}_cells.csv"
    entering = frame[expected.get("ridge_columns", columns)]
    return Case(
        name=name,
        status=_status(expected),
        frame=frame,
        mean=_series(expected.get("mu"), columns, float),
        cov=_square(cov, columns, float),
        loglik=expected.get("loglik"),
        identified=_square(mask, columns, bool),
        identified_mean=_series(mean_mask, columns, bool),
        missing=pd.read_csv(cells) if cells.exists() else None,
        modes=tuple(_mode(mode, entering) for mode in expected.get("ridge", {}).values()),
        expected=expected,
    )


@functools.cache
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "expected" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _status(expected: dict[str, Any]) -> Status:
    if not expected["mle_exists"]:
        return "none"
    return "ml" if expected["unique"] else "flat"


def _mode(mode: dict[str, Any], frame: pd.DataFrame) -> Mode:
    logpost = mode.get("logpost_norm2")
    if logpost is not None:
        # norm2 leaves the likelihood's constant out, -log(2 pi)/2 an observed cell.
        logpost -= 0.5 * np.log(2 * np.pi) * int(frame.notna().to_numpy().sum())
    columns = list(frame)
    return Mode(
        df=mode["prior_df"],
        frame=frame,
        mean=pd.Series(mode["mu"], columns, dtype=float),
        cov=pd.DataFrame(mode["Sigma"], columns, columns, dtype=float),
        loglik=mode.get("loglik_at_mode"),
        logpost=logpost,
    )


def _series(values: list[Any] | None, columns: list[str], dtype: type) -> pd.Series | None:
    return None if values is None else pd.Series(values, columns, dtype=dtype)


def _square(values: list[list[Any]] | None, columns: list[str], dtype: type) -> pd.DataFrame | None:
    return None if values is None else pd.DataFrame(np.asarray(values, dtype=dtype), columns, columns)
