"""Colours that stay apart under every common colour-vision deficiency, and the marks that go with them.

They are those of Okabe & Ito 2008 (https://jfly.uni-koeln.de/color/). No picture tells things apart by colour alone:
imputed cells are triangles or dashed lines, observed ones dots or solid lines, what is missing is crossed or hatched.
"""

from __future__ import annotations

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
INK = "#333333"
GREY = "#8C8C8C"
PALE = "#E6E6E6"

OBSERVED = BLUE
IMPUTED = VERMILLION
SHARES = "cividis"  # a map of one light-to-dark order, made for colour-vision deficiency
"""Nuñez, Anderton & Renslow 2018 (https://doi.org/10.1371/journal.pone.0199239)."""
