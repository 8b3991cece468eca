"""Copy what the tests need from the full folder of reference cases into this one.

``python tests/reference/collect.py SOURCE``, where SOURCE holds ``data/`` and ``expected/``: for each case its table, a
JSON file and, as two further tables, the completed matrix and its conditional sds. Numbers are copied, never
recomputed: data byte for byte, JSON numbers with all their digits, imputations as the text of their field. Left behind
is what no test is meant to read, and of the completed matrices what was observed anyway, once it agrees with the data.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent

KEEP = (
    "case",
    "file",
    "columns",
    "n",
    "p",
    "mle_exists",
    "unique",
    "reason",
    "mu",
    "Sigma",
    "Sigma_from_default_start",
    "loglik",
    "em_rate_exact",
    "identified_mask",
    "mu_identified",
    "random_start_logliks",
    "multimode_check",
    "ridge",
    "ridge_columns",
    "constant_columns",
    "little",
    "se_observed",
    "se_expected",
    "fmi_observed",
    "norm2_default",
    "source",
)
KEEP_OF_A_MODE = ("prior_df", "mu", "Sigma", "logpost_norm2", "loglik_at_mode", "source")
KEEP_OF_LITTLE = ("chi2", "df", "p")
KEEP_OF_NORM2 = ("iterations", "converged", "failed")


class Verbatim(float):
    """A number that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Parse ``text``, and keep it."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def pick(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The entries called ``names``, those that are there."""
    return {name: values[name] for name in names if name in values}


def slim(expected: dict[str, Any]) -> dict[str, Any]:
    """What the tests read of one case."""
    kept = pick(expected, KEEP)
    if "ridge" in kept:
        kept["ridge"] = {df: pick(mode, KEEP_OF_A_MODE) for df, mode in kept["ridge"].items()}
    if "little" in kept:
        kept["little"] = pick(kept["little"], KEEP_OF_LITTLE)
    kept["norm2_default"] = pick(kept.get("norm2_default", {}), KEEP_OF_NORM2)
    return kept


def dump(value: Any, indent: int = 0) -> str:
    """JSON with one line a row of numbers, so that a difference reads well, and every number as it was written."""
    pad = " " * indent
    if isinstance(value, Verbatim):
        return value.text
    if isinstance(value, dict):
        inner = ",\n".join(f"{pad} {json.dumps(k)}: {dump(v, indent + 1)}" for k, v in value.items())
        return f"{{\n{inner}\n{pad}}}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n" + ",\n".join(f"{pad} {dump(row, indent + 1)}" for row in value) + f"\n{pad}]"
    if isinstance(value, list):
        return "[" + ", ".join(dump(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, as text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cells(source: Path, case: str, columns: list[str], data: list[dict[str, str]]) -> list[list[str]] | None:
    """Row, column, conditional mean and sd (empty if unknown) of every missing cell; None if they are not on file."""
    file = source / "expected" / f"{case}_imputed.csv"
    if not file.exists():
        return None
    imputed = read(file)
    sds = source / "expected" / f"{case}_condsd.csv"
    condsd = read(sds) if sds.exists() else [{}] * len(data)
    found = []
    for number, (observed, filled, sd) in enumerate(zip(data, imputed, condsd, strict=True)):
        for column in columns:
            if observed[column]:
                # Written with 15 digits there, so equal only up to that.
                if abs(float(observed[column]) - float(filled[column])) > 1e-14 * abs(float(filled[column])):
                    raise ValueError(f"{case}: {column!r} in row {number} is {observed[column]}, not {filled[column]}.")
            else:
                found.append([str(number), column, filled[column], sd.get(column, "")])
    return found


def collect(source: Path) -> None:
    """Copy every numeric case of ``source``."""
    for folder in ("data", "expected"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    for path in sorted((source / "expected").glob("*.json")):
        expected = slim(json.loads(path.read_text(encoding="utf-8"), parse_float=Verbatim))
        case = expected["case"]
        shutil.copyfile(source / "data" / expected["file"], HERE / "data" / f"{case}.csv")
        (HERE / "expected" / f"{case}.json").write_text(dump(expected) + "\n", encoding="utf-8")
        missing = cells(source, case, expected["columns"], read(HERE / "data" / f"{case}.csv"))
        if missing is not None:
            with (HERE / "expected" / f"{case}_cells.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["row", "column", "estimate", "sd"])
                writer.writerows(missing)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path, help="the full folder of reference cases")
    collect(parser.parse_args().source)
