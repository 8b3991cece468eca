"""Moments of truncated standard normals in eighty-digit arithmetic, for ``tests/models/test_truncated.py``.

``python tests/reference/truncated.py`` writes ``expected/truncated.csv``; it needs mpmath. Bounds are floats, written
so that they read back exactly; log Z, mean and variance carry 20 digits, the mean as its distance from the bound nearer
to zero too, for a mean at 1e3 would hide what a narrow interval is about.
"""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

from mpmath import erfc, exp, log, mp, mpf, nstr, pi, sqrt

mp.dps = 80
STARTS = ("-inf", -3.0, -1.0, -0.2, 0.0, 0.5, 1.4, 3.0, 4.9, 5.1, 6.0, 8.0, 20.0, 38.0, 1e3)
WIDTHS = (1e-8, 1e-4, 0.01, 0.1, 0.3, 0.6, 1.0, 1.4, 2.0, 3.0, 6.0, 50.0, "inf")
ENDS = (-8.0, -1.0, 0.0, 0.7, 3.0, 9.0)


def phi(x):
    return exp(-x * x / 2) / sqrt(2 * pi)


def moments(a, b):
    """Log Z, mean, variance by the textbook's formulas, with digits to spare."""
    a, b = mpf(a), mpf(b)
    z = (erfc(a / sqrt(2)) - erfc(b / sqrt(2))) / 2
    at_a, at_b = phi(a), phi(b)
    mean = (at_a - at_b) / z
    second = 1 + ((a * at_a if mp.isfinite(a) else 0) - (b * at_b if mp.isfinite(b) else 0)) / z
    return log(z), mean, second - mean**2


def cases():
    """Bounds as floats."""
    yield from ((a, float(a) + float(w)) for a, w in product(STARTS[1:], WIDTHS))
    yield from ((STARTS[0], end) for end in (*ENDS, "inf"))
    yield from ((-float(h), float(h)) for h in WIDTHS[:-1])  # symmetric about zero


def main():
    with (Path(__file__).parent / "expected" / "truncated.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("lower", "upper", "log_z", "mean", "offset", "variance"))
        for lower, upper in cases():
            log_z, mean, variance = moments(lower, upper)
            offset = mean - mpf(lower) if mp.isfinite(mpf(lower)) else mean - mpf(upper)
            values = (nstr(value, 20) for value in (log_z, mean, offset, variance))
            table.writerow((repr(float(lower)), repr(float(upper)), *values))


if __name__ == "__main__":
    main()
