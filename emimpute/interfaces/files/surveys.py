"""Survey files on the command line: a completed one keeps its labels, its codes, and the gaps that must stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emimpute.errors import EMImputeError
from emimpute.interfaces.files.formats import TableError
from emimpute.interfaces.files.table import Table, indexed

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from emimpute.interfaces.survey import Survey

__all__ = ["SurveyTable", "read_survey_table"]


@dataclass(frozen=True, eq=False)
class SurveyTable(Table):
    """A file of SPSS or Stata; ``source`` has its labels. Text and Arrow tables get the codes."""

    source: Survey

    @property
    def where(self) -> pd.DataFrame | None:
        """False where a gap of the frame must stay."""
        names = [self.source.frame.columns[place] for place in self.columns]
        return self.source.where[names].set_axis(self.frame.index, axis=0)

    def survey(self, done: pd.DataFrame, draft: Path) -> None:
        """Write ``done`` with the source's labels; an index made of a column is that column again."""
        frame = self.source.frame.copy()
        for place, name in enumerate(done.columns):
            frame[name] = done.iloc[:, place].array
        try:
            self.source.write(frame, draft, force=True)
        except EMImputeError as error:
            raise TableError(str(error)) from error


def read_survey_table(path: Path, index: str | None) -> SurveyTable:
    """The table in a survey file. Raises TableError for what is none."""
    from emimpute.interfaces.survey import read_survey  # noqa: PLC0415 (which writes by this room's targets)

    try:
        survey = read_survey(path)
    except EMImputeError as error:
        raise TableError(str(error)) from error
    frame, places = indexed(survey.frame, range(survey.frame.shape[1]), index)
    return SurveyTable(frame, places, survey)
