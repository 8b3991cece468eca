"""What an imputation is judged by, over the cells that were taken out.

- NRMSE of a continuous column: root mean squared error in units of the complete column's sd. Mean over columns.
- SMAE of an ordered one: mean absolute error of the levels' places over that of filling in the observed median, as the
  papers on gcimpute have it (Zhao & Udell 2020, doi:10.1145/3394486.3403106). Mean over columns.
- Error of a binary or nominal one: share of the cells filled with another level. Mean over columns.
- Error of the latent correlation: ‖R̂ − R‖ / ‖R‖, Frobenius.
"""

from __future__ import annotations

import numpy as np

__all__ = ["correlation_error", "missed", "nrmse", "smae", "spread"]


def nrmse(filled: np.ndarray, complete: np.ndarray, gone: np.ndarray) -> float:
    """Of (n, columns)."""
    columns = np.flatnonzero(gone.any(axis=0))
    each = [np.sqrt(np.mean((filled - complete)[gone[:, j], j] ** 2)) / complete[:, j].std() for j in columns]
    return float(np.mean(each))


def smae(filled: np.ndarray, complete: np.ndarray, gone: np.ndarray) -> float:
    """Of (n, columns)."""
    each = []
    for j in np.flatnonzero(gone.any(axis=0)):
        out, truth = gone[:, j], complete[gone[:, j], j]
        median = np.median(complete[~out, j])
        each.append(np.abs(filled[out, j] - truth).mean() / np.abs(median - truth).mean())
    return float(np.mean(each))


def missed(filled: np.ndarray, complete: np.ndarray, gone: np.ndarray) -> float:
    """Of (n, columns)."""
    each = [np.mean(filled[gone[:, j], j] != complete[gone[:, j], j]) for j in np.flatnonzero(gone.any(axis=0))]
    return float(np.mean(each))


def correlation_error(found: np.ndarray, truth: np.ndarray) -> float:
    """Of (d, d)."""
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def spread(values: np.ndarray, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds, and their standard errors."""
    count = values.shape[axis]
    return values.mean(axis=axis), values.std(axis=axis, ddof=1) / np.sqrt(count)
