"""One Python peer on one table, timed in this process: ``worker.py NAME TABLE COLUMNS ESTIMATE``.

Says ``ready``, and the processor seconds used by then, when all is loaded and warm, calls the peer until :data:`ENOUGH`
seconds are spent, and prints one line of JSON: processor and wall seconds of every call, and by how many bytes the
first raised the process's peak. The estimate is written to a file, mean then covariance.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from inside import PEERS, Estimate
from tables import read, table
from threadpoolctl import threadpool_limits

try:
    import resource
except ImportError:  # Windows
    resource = None

ENOUGH, MOST = 2.0, 7  # seconds, and calls


def peak() -> float:
    """Bytes that this process has held at most."""
    if resource is None:
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(name: str, path: Path, columns: int, out: Path) -> None:
    call = PEERS[name][1]
    df = read(path, columns)
    try:
        call(table(200, 4, 0.1))  # what is imported or compiled at first use is no part of it
    except ImportError as error:
        print(json.dumps({"missing": error.name or str(error)}))
        return
    except Exception:  # noqa: BLE001, S110 (what fails here fails below as well, and is told there)
        pass
    print(f"ready {time.process_time():.2f}", flush=True)
    before, runs = peak(), []
    held = before
    while len(runs) < MOST and sum(wall for _, wall in runs) < ENOUGH:
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            estimate: Estimate = call(df)
        except Exception as error:  # noqa: BLE001 (a peer may fail in any way; it is told, and the others go on)
            print(json.dumps({"failed": f"{type(error).__name__}: {error}".split("\n")[0]}))
            return
        runs.append((time.process_time() - cpu, time.perf_counter() - wall))
        held = peak() if len(runs) == 1 else held
    np.concatenate([np.ravel(part) for part in estimate]).astype(float).tofile(out)
    print(json.dumps({"runs": runs, "bytes": held - before}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
