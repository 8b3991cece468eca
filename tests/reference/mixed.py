"""Copy what the tests of mixed columns need from the full folder of reference cases into ``mixed/`` beside this file.

``python tests/reference/mixed.py SOURCE``, where SOURCE holds ``data/`` and ``mixed/``: for each case its columns that
enter, and a JSON file with correlations from complete rows and the full-information ML. Numbers are copied with all
their digits, never recomputed. For ``bfi`` the correlations are lavaan's two-step ML, which is the same for ordered
columns.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from collect import HERE, Verbatim, dump, pick, read

CASES = ("bfi", "bfi_mixed", "boys", "nhanes2", "sat_act", "sleep_vim", "survey")
TABLES = {"bfi_mixed": "bfi"}
KEEP = ("case", "columns", "ordinal", "numeric", "definition")
KEEP_OF_COMPLETE = ("columns", "n", "own_two_step_ML", "hetcor_ML", "definitions")
KEEP_OF_FIML = ("columns", "model", "Sigma", "means", "thresholds", "loglik", "status", "source")


def fill_in(rows: list, others: list) -> None:
    """Entries that one program was not asked for, from the other: for ordered columns they are the same to 2e-5."""
    for row, other in zip(rows, others, strict=True):
        row[:] = [b if a is None else a for a, b in zip(row, other, strict=True)]


def collect(source: Path) -> None:
    """Copy every case of ``source``."""
    target = HERE / "mixed"
    target.mkdir(exist_ok=True)

    def load(name: str) -> dict:
        return json.loads((source / "mixed" / f"{name}.json").read_text(encoding="utf-8"), parse_float=Verbatim)

    for case in CASES:
        found = load(f"{case}_latentcor")
        kept = pick(found, KEEP)
        if isinstance(kept["numeric"], str):  # one column is not a list there
            kept["numeric"] = [kept["numeric"]]
        complete = pick(found["complete_case"], KEEP_OF_COMPLETE)
        if case == "bfi":  # all items; its complete rows' block has eight
            complete = {"columns": found["columns"], "n": complete["n"], "own_two_step_ML": found["lavCor_listwise"]}
        if "columns" in complete and case != "bfi":
            fill_in(complete["own_two_step_ML"], found["complete_case"]["lavCor"])
        if "columns" in complete:
            kept["complete_case"] = complete
        if (source / "mixed" / f"{case}_fiml_openmx.json").exists():
            kept["fiml"] = pick(load(f"{case}_fiml_openmx"), KEEP_OF_FIML)
        (target / f"{case}.json").write_text(dump(kept) + "\n", encoding="utf-8")
        rows = read(source / "data" / f"{TABLES.get(case, case)}.csv")
        with (target / f"{case}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, kept["columns"], extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path, help="the full folder of reference cases")
    collect(parser.parse_args().source)
