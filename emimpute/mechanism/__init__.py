"""Why cells are missing, as far as the data can tell: tests of missingness completely at random.

Three questions, each asked of the columns of numbers: do the patterns' means differ (:func:`mcar_test`), do their
covariances (:func:`homogeneity_test`), and which columns tell where another one is missing (:func:`indicator_tests`)?
"""

from emimpute.mechanism.homogeneity import homogeneity_test
from emimpute.mechanism.indicators import indicator_tests
from emimpute.mechanism.little import mcar_test

__all__ = ["homogeneity_test", "indicator_tests", "mcar_test"]
