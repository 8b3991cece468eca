"""Missing-data imputation on pandas: ``import emimpute`` gives every DataFrame an accessor ``df.em``.

>>> import pandas as pd, emimpute
>>> df = pd.DataFrame({"height": [1.62, 1.75, None, 1.81], "weight": [58.0, 77.0, 66.0, 80.0]})
>>> df.em.impute().round(2)
   height  weight
0    1.62    58.0
1    1.75    77.0
2    1.68    66.0
3    1.81    80.0
"""

from emimpute import datasets
from emimpute._impute import bind, draw, fit, impute
from emimpute.errors import (
    ColumnError,
    ColumnWarning,
    ConvergenceWarning,
    EMImputeError,
    EMImputeWarning,
    IdentificationError,
    IdentificationWarning,
    PluginError,
    PluginWarning,
)
from emimpute.inference.drawing.imputations import Imputations
from emimpute.inference.pooling.pool import Pooled, pool
from emimpute.inference.standing.ratio import lr_test
from emimpute.interfaces import accessor as _accessor  # noqa: F401 (registers df.em)
from emimpute.interfaces.survey import Survey, read_survey
from emimpute.kinds.registry import register as register_kind
from emimpute.mechanism import homogeneity_test, indicator_tests, mcar_test
from emimpute.missingness import coverage, flux, patterns
from emimpute.models.registry import register as register_model
from emimpute.results.fit import Fit
from emimpute.results.persist import read_json

__version__ = "0.1.0"

__all__ = [
    "ColumnError",
    "ColumnWarning",
    "ConvergenceWarning",
    "EMImputeError",
    "EMImputeWarning",
    "Fit",
    "IdentificationError",
    "IdentificationWarning",
    "Imputations",
    "PluginError",
    "PluginWarning",
    "Pooled",
    "Survey",
    "bind",
    "coverage",
    "datasets",
    "draw",
    "fit",
    "flux",
    "homogeneity_test",
    "impute",
    "indicator_tests",
    "lr_test",
    "mcar_test",
    "patterns",
    "pool",
    "read_json",
    "read_survey",
    "register_kind",
    "register_model",
]
