"""Rectangle probabilities and moments of bivariate normals in 50 digits, for ``tests/models/test_bivariate.py``.

``python tests/reference/bivariate.py`` writes ``expected/bivariate.csv`` in some minutes; it needs mpmath. The outer
coordinate is integrated between cuts closer than any feature of the integrand is wide, the inner one is exact. Each
case is done twice, with either coordinate as the outer one; unless the two agree to 15 digits it is left out, which
happens where P < 1e-3000.
"""

from __future__ import annotations

import csv
from itertools import pairwise, product
from pathlib import Path

from mpmath import erfc, exp, log, mp, mpf, nstr, pi, sqrt
from mpmath.calculus.quadrature import GaussLegendre

mp.dps = 50
RULE = GaussLegendre(mp).calc_nodes(4, mp.prec)  # 24 nodes
RHOS = (-0.999, -0.9, -0.5, 0.0, 0.3, 0.7, 0.9, 0.95, 0.99, 0.999)
RECTANGLES = (  # lower x, lower y, upper x, upper y
    (0, 0, "inf", "inf"),
    ("-inf", "-inf", 0.3, -0.8),
    (-1.5, -0.5, 0.7, 1.1),
    (-0.4, "-inf", 0.2, "inf"),
    ("-inf", 1.0, "inf", 2.0),
    (-6, -6, 6, 6),
    (3, 3, "inf", "inf"),
    (6, "-inf", "inf", 0.5),
    (8, -9, 9, "inf"),
    (5, 5, 5.5, 7),
    (2, -1, 2.00000001, 1),
    (0.5, 0.25, 0.5001, 0.2503),
    ("-inf", 10, "inf", "inf"),
    (-2, "-inf", "inf", -2.5),
)


def phi(x):
    return exp(-x * x / 2) / sqrt(2 * pi)


def between(a, b):
    """Φ(b) − Φ(a), from the tail in which it lies."""
    if a + b < 0:
        a, b = -b, -a
    return (erfc(a / sqrt(2)) - erfc(b / sqrt(2))) / 2


def moments(lower, upper, rho):
    """P, E x, E y, E xx, E xy, E yy over the rectangle, the first coordinate outermost."""
    (ax, ay), (bx, by), s = lower, upper, sqrt(1 - rho * rho)
    near, far = max(ax, -mpf(14)), min(bx, mpf(14))
    if ax > 8:
        far = min(bx, ax + 6)
    if bx < -8:
        near = max(ax, bx - 6)
    cuts = {near, far}
    steps = [bound / rho for bound in (ay, by) if rho and mp.isfinite(bound)]
    for centre in (*steps, rho * ay, rho * by, ax, bx, mpf(0)):
        if mp.isfinite(centre):
            cuts |= {centre + k * s for k in range(-14, 15)}
    cuts |= {near + (far - near) * k / 12 for k in range(1, 12)}
    cuts = sorted(cut for cut in cuts if near <= cut <= far)

    def inner(x):
        alpha, beta = (ay - rho * x) / s, (by - rho * x) / s
        z = between(alpha, beta)
        pa, pb = phi(alpha), phi(beta)
        first = rho * x * z + s * (pa - pb)
        tail = (alpha * pa if mp.isfinite(alpha) else 0) - (beta * pb if mp.isfinite(beta) else 0)
        second = (rho * x) ** 2 * z + 2 * rho * x * s * (pa - pb) + s * s * (z + tail)
        return z, first, second

    totals = [mpf(0)] * 6
    for left, right in pairwise(cuts):
        h, m = (right - left) / 2, (right + left) / 2
        for node, weight in RULE:
            x = m + h * node
            z, y, yy = inner(x)
            w = weight * h * phi(x)
            for k, value in enumerate((z, x * z, y, x * x * z, x * y, yy)):
                totals[k] += w * value
    return totals


def central(totals):
    """Log P, the two means, the two variances, the covariance."""
    p, x, y, xx, xy, yy = totals
    x, y = x / p, y / p
    return log(p), x, y, xx / p - x * x, yy / p - y * y, xy / p - x * y


def main():
    with (Path(__file__).parent / "expected" / "bivariate.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        names = ("lower_x", "lower_y", "upper_x", "upper_y", "rho")
        table.writerow((*names, "log_p", "mean_x", "mean_y", "var_x", "var_y", "cov"))
        for rectangle, rho in product(RECTANGLES, RHOS):
            bounds = [float(bound) for bound in rectangle]
            ax, ay, bx, by = (mpf(bound) for bound in bounds)
            values = central(moments((ax, ay), (bx, by), mpf(rho)))
            p, y, x, yy, xx, xy = central(moments((ay, ax), (by, bx), mpf(rho)))
            swapped = (p, x, y, xx, yy, xy)
            if not all(mp.almosteq(u, v, 1e-15, 1e-40) for u, v in zip(values, swapped, strict=True)):
                print("left out:", rectangle, rho, nstr(p, 8))
                continue
            table.writerow((*map(repr, bounds), repr(float(rho)), *(nstr(value, 18) for value in values)))
            file.flush()


if __name__ == "__main__":
    main()
