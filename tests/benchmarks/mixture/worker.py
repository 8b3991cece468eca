"""gcimpute on one table, in this process: ``worker.py TABLE ORDINAL OUT``.

The table is a .npy file (n, d), NaN for a gap; ORDINAL its ordinal columns between commas. OUT gets the filled table,
the latent correlation, the latent values, and the processor seconds of fitting and filling.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np


def main(table: str, ordinal: str, out: str) -> None:
    vars(np).setdefault("round_", np.round)  # gcimpute 0.0.4 still calls it so, and NumPy 2 has it no more
    from gcimpute.gaussian_copula import GaussianCopula  # noqa: PLC0415 (what it needs comes first)

    x = np.load(table)
    places = [int(j) for j in ordinal.split(",") if j]
    others = [j for j in range(x.shape[1]) if j not in places]

    def call(rows: np.ndarray) -> tuple:
        model = GaussianCopula(verbose=0)
        return model, model.fit_transform(rows, continuous=others or None, ordinal=places or None)

    begin = time.process_time()
    model, done = call(x)
    seconds = time.process_time() - begin
    np.savez(out, filled=done, corr=model._corr, latent=model._latent_Zimp, seconds=seconds)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
