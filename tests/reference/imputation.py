"""Copies what other software says of pooling and posteriors: ``python tests/reference/imputation.py SOURCE``.

SOURCE is the full folder of reference cases, as for ``collect.py``. Files are copied byte for byte into ``mi/``.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

HERE = Path(__file__).parent / "mi"
FILES = ("pooling.json", "D_tests_nhanes.json", "mcmcNorm_posteriors.json", "substantive_models.json")
COMPLETED = tuple(f"nhanes_imp{number:02d}.csv" for number in range(1, 11))


def collect(source: Path) -> None:
    """Copy the files."""
    HERE.mkdir(exist_ok=True)
    for name in FILES + COMPLETED:
        shutil.copyfile(source / "mi" / name, HERE / name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="the full folder of reference cases")
    collect(parser.parse_args().source)
