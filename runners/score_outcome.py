"""What a scoring run left in the score table, for the terminal."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.listing import listed
from pipeline.scores.layout import SUMMARY, ScoresError
from pipeline.scores.opening import open_scores, table_name
from pipeline.scores.table import LATEST
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings

_NAMED = 10  # days that a line names; it counts the others


@dataclasses.dataclass(frozen=True)
class Scored:
    """A scoring run and its score table.

    Attributes:
        run: the settings of the run.
        folder: the data set.
        database: for DuckDB, the file of the score table.
        run_id: the run's id.
    """

    run: RunSettings
    folder: DatasetFolder
    database: str
    run_id: str

    def outcome(self) -> str:
        """What the run has written so far, in a sentence; for the message of a run that ended early."""
        try:
            days = self._days()
        except ScoresError:
            return "It is not known whether scores were written; run again to make sure."
        if not days:
            return "The score table is as it was."
        return f"The scores of {listed(days, _NAMED)} were written before that."

    def summary(self, connection: Any, told: Sequence[str] = ()) -> list[str]:
        """The lines to show at the end of a run, without the warnings that were shown before (`told`)."""
        from runners import summary

        result = summary.read_result(connection)
        with open(os.path.join(result.artifacts["Scorer", "scores"], SUMMARY), encoding="utf-8") as file:
            scores = json.load(file)
        lines = ["", *(_line(day) for day in scores["dates"])]
        lines += [f"warning: {text}" for text in summary.data_report(result)["warnings"] if text not in told]
        with open_scores(self.run, self.folder, self.database) as table:
            latest = f"{table_name(self.folder.name, self.folder.dataset.scoring)}{LATEST}"
            lines += ["", f"Score table: {table.name}; the view {latest} shows each customer's newest score"]
        report = os.path.join(result.artifacts["ScoringReport", "report"], "report.html")
        return [*lines, f"Report: {report}"]

    def export(self, target: Path) -> int:
        """Writes the scores of the run's days to a file; returns the number of rows."""
        from pipeline.scores import export

        with open_scores(self.run, self.folder, self.database) as table:
            return export.export(table, self._days(), target)

    def _days(self) -> list[Any]:
        with open_scores(self.run, self.folder, self.database) as table:
            return [day.date for day in table.scored_days() if day.run_id == self.run_id]


def _line(day: dict[str, Any]) -> str:
    top = day["deciles"][0]
    return (
        f"SCORED {day['date']}: {day['rows']:,} rows, mean {day['mean']:.4f}; decile 1 holds {top['rows']:,} with "
        f"{top['expected']:,.0f} expected conversions"
    )
