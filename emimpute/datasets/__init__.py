"""Real tables with real gaps, to try things on: :func:`load` one by name, :func:`available` lists them.

Each is a small CSV file beside this module (an empty field is a gap), under terms that allow to pass it on with a
BSD-3 package. ``README.md`` there says of each what its columns mean, where it comes from and on what terms it is here.

>>> from emimpute import datasets
>>> bfi = datasets.load("bfi")
>>> bfi.shape
(2800, 28)
>>> bfi[["N4", "education", "age"]].isna().sum().to_dict()
{'N4': 36, 'education': 223, 'age': 0}
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from emimpute.errors import EMImputeError, unknown

__all__ = ["available", "load", "path"]

_Dtype: TypeAlias = Literal["Int64", "category"]


@dataclass(frozen=True)
class _Dataset:
    origin: str
    licence: str
    dtypes: _Dtype | dict[str, _Dtype]  # where it is not what read_csv makes of it


# Whole numbers with gaps are "Int64", not the float64 of read_csv, so that what is filled in is a whole number too.
_DATASETS = {
    "bfi": _Dataset(
        origin="Synthetic Aperture Personality Assessment project, 2010: 25 items from 1 to 6, 3 demographics",
        licence="CC0-1.0",
        dtypes="Int64",
    ),
    "penguins": _Dataset(
        origin="K. Gorman and Palmer Station Antarctica LTER, 2007-2009, by way of palmerpenguins: body measurements",
        licence="CC0-1.0",
        dtypes={
            "species": "category",
            "island": "category",
            "flipper_length_mm": "Int64",
            "body_mass_g": "Int64",
            "sex": "category",
        },
    ),
    "tao": _Dataset(
        origin="Tropical Atmosphere Ocean project of NOAA, 1993 and 1997: weather and sea at five moored buoys",
        licence="public domain (work of the United States government)",
        dtypes={},
    ),
}


def available() -> pd.DataFrame:
    """The bundled data sets, a row each.

    Returns
    -------
    DataFrame
        ``name``, ``rows``, ``columns``, ``missing`` (number of empty cells), ``origin`` and ``licence``.

    Examples
    --------
    >>> from emimpute import datasets
    >>> datasets.available()[["name", "rows", "columns", "missing"]]
           name  rows  columns  missing
    0       bfi  2800       28      731
    1  penguins   344        8       19
    2       tao   736        8      177
    """
    rows = []
    for name, dataset in _DATASETS.items():
        frame = load(name)
        rows.append(
            {
                "name": name,
                "rows": len(frame),
                "columns": frame.shape[1],
                "missing": int(frame.isna().to_numpy().sum()),
                "origin": dataset.origin,
                "licence": dataset.licence,
            }
        )
    return pd.DataFrame(rows)


def path(name: str) -> Path:
    """Where the CSV file of a data set lies, for tools that want a file.

    Parameters
    ----------
    name
        One of ``available()["name"]``.

    Returns
    -------
    Path
        Of an existing file; read it, do not write to it.

    Raises
    ------
    EMImputeError
        No data set has that name; the nearest names are given.
    """
    _find(name)
    return Path(str(resources.files(__package__) / f"{name}.csv"))


def load(name: str) -> pd.DataFrame:
    """A bundled data set, read afresh: what you do to the frame stays yours.

    Parameters
    ----------
    name
        One of ``available()["name"]``.

    Returns
    -------
    DataFrame
        Gaps are missing values. Whole numbers in a column with gaps are ``Int64`` (and so is all of ``bfi``), text is
        ``category``.

    Raises
    ------
    EMImputeError
        No data set has that name; the nearest names are given.

    Examples
    --------
    >>> from emimpute import datasets
    >>> datasets.load("penguins")["body_mass_g"].dtype
    Int64Dtype()
    """
    return pd.read_csv(path(name), dtype=_find(name).dtypes)


def _find(name: str) -> _Dataset:
    try:
        return _DATASETS[name]
    except (KeyError, TypeError):  # TypeError: not even hashable
        raise EMImputeError(unknown("data set", name, list(_DATASETS))) from None
