"""Survey files of SPSS and Stata: codes stay codes, answers get their order, and every gap keeps its reason.

A survey file knows more than a table: what a code means, whether codes are ordered, and why an answer is missing.
:func:`read_survey` turns that into what imputation needs, and :meth:`Survey.write` turns it back.
"""

from emimpute.interfaces.survey.survey import Survey, read_survey

__all__ = ["Survey", "read_survey"]
