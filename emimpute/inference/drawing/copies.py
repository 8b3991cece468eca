r"""Case weights in draws from a posterior: a row of weight w as copies of it, each with latent cells of its own.

A row of weight 2 stands for two rows that answered alike, whose gaps are two. So a row of whole weight w becomes w
copies, and the posterior is that of the repeated rows. A fraction v of a row becomes two copies that weigh
:math:`a = (v \pm \sqrt{v (2 - v)}) / 2`. With these :math:`\sum a = \sum a^2 = v`: sums over drawn cells have the mean
and the variance that the weight says, whatever the law of the cells, and the observed cells count v times. What is
drawn from is then close to the posterior under the weighted likelihood, Π p(row)^w.
"""

from __future__ import annotations

import numpy as np

__all__ = ["NO_COVARIANCE", "REDRAWS", "copies"]

REDRAWS = 20  # of cells whose scatter is not positive definite, as seldom happens where copies have negative weights
NO_COVARIANCE = "The drawn cells have no covariance matrix that is positive definite: use draw(method='bootstrap')."


def copies(weights: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the table to take, and what each weighs, given weights (n,) and which rows have ``hidden`` cells (n,).

    Rows without hidden cells, which nothing is drawn for, are taken once.

    >>> copies(np.array([2.0, 0.5, 0.5]), np.array([True, False, True]))[0].tolist()
    [0, 0, 1, 2, 2]
    """
    whole = np.floor(weights).astype(np.intp)
    part = np.where(hidden, weights - whole, 0.0)
    count = np.where(hidden, whole, 1)
    root = np.sqrt(part * (2 - part))
    split = np.flatnonzero(part > 0)
    rows = np.concatenate([np.repeat(np.arange(len(weights)), count), split, split])
    each = np.repeat(np.where(hidden, 1.0, weights), count)
    weigh = np.concatenate([each, ((part + root) / 2)[split], ((part - root) / 2)[split]])
    order = np.argsort(rows, kind="stable")
    return rows[order], weigh[order]
