"""gcimpute, run in a process of its own with one BLAS thread."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Filled", "gcimpute"]

_WORKER = Path(__file__).parent / "worker.py"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, eq=False)
class Filled:
    """What gcimpute makes of a table (n, d)."""

    values: np.ndarray  # (n, d)
    corr: np.ndarray  # (d, d)
    latent: np.ndarray  # (n, d)
    seconds: float  # of the processor


def gcimpute(table: np.ndarray, ordinal: list[int]) -> Filled | None:
    """Its answer, its columns being told; None where it is not installed. RuntimeError where it fails.

    ``GCIMPUTE_PYTHON`` in the environment names another Python that has it.
    """
    python = os.environ.get("GCIMPUTE_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        here, out = Path(folder) / "table.npy", Path(folder) / "out.npz"
        np.save(here, table)
        done = subprocess.run(
            [python, str(_WORKER), str(here), ",".join(map(str, ordinal)), str(out)],
            env={**os.environ, **_ONE_THREAD},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            if "No module named 'gcimpute'" in last:
                return None
            raise RuntimeError(f"gcimpute: {last}")
        with np.load(out) as said:
            return Filled(said["filled"], said["corr"], said["latent"], float(said["seconds"]))
