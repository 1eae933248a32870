"""ScoreWriter: writes the scores of a run into the score table, day by day."""

from __future__ import annotations

import datetime
import json
import logging
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from pipeline.artifacts import WRITTEN, Scores, WrittenScores
from pipeline.components import specification
from pipeline.components.specification import read_settings
from pipeline.scores import layout
from pipeline.scores.files import schema_of
from pipeline.scores.layout import ScoresError
from pipeline.scores.opening import open_table, table_name
from pipeline.scores.table import ScoreTable, ScoringRun, replaced_days
from pipeline.settings.run import BigQuerySettings, DuckDBSettings
from pipeline.settings.scoring import ScoringSettings

# The component changes a table that is no artifact, so the cache does not know what it did: runners execute it always.
NODE_ID = "ScoreWriter"

_ENGINES = {"duckdb": DuckDBSettings, "bigquery": BigQuerySettings}
_progress = logging.getLogger("propensity.progress")


class Executor(base_executor.BaseExecutor):
    """Checks everything before it writes."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the days, and `written.json`.

        Args:
            input_dict: `scores`: one Scores.
            output_dict: `written`: one WrittenScores.
            exec_properties: ScoreWriter's parameters.

        Raises:
            ScoresError: there are no scores; the table has other columns; another model scored a day, and `replace` is
                0; another run is writing the table; or the engine fails.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        folder = artifact_utils.get_single_uri(input_dict["scores"])
        out = artifact_utils.get_single_uri(output_dict["written"])
        settings = read_settings(exec_properties, "settings", ScoringSettings)
        engine = _ENGINES[json.loads(exec_properties["warehouse"])["engine"]]
        warehouse = read_settings(exec_properties, "warehouse", engine)
        name = table_name(exec_properties["dataset"], settings)
        with open_table(warehouse, name, settings, exec_properties["table_path"]) as table:
            written = write(table, folder, settings, replace=bool(exec_properties["replace"]))
        fileio.makedirs(out)
        with fileio.open(os.path.join(out, WRITTEN), "w") as file:
            file.write(json.dumps(written, indent=1))


def write(table: ScoreTable, folder: str, settings: ScoringSettings, *, replace: bool) -> dict[str, Any]:
    """Writes the days of a Scores artifact.

    Args:
        table: where to.
        folder: the artifact's.
        settings: the section `scoring`.
        replace: whether this run may replace the scores of another model.

    Returns:
        JSON-ready: `table`, its name as messages show it; `run_id`; and `days`, each with its `date`, its `rows` and,
        in `replaced`, what it held before: rows, model_version, model_digest, run_id and scored_at, or None.

    Raises:
        ScoresError: nothing was written, or only the days before the one that the message names.
    """
    with fileio.open(os.path.join(folder, layout.SUMMARY)) as file:
        summary = json.load(file)
    rows = {datetime.date.fromisoformat(day["date"]): int(day["rows"]) for day in summary["dates"]}
    files = {date: os.path.join(folder, layout.day_file(date)) for date in rows}
    run = ScoringRun(
        model_version=summary["model"]["version"],
        model_digest=summary["model"]["digest"],
        run_id=summary["run_id"],
        scored_at=datetime.datetime.fromisoformat(summary["scored_at"].replace("Z", "+00:00")),
    )
    absent = [path for path in files.values() if not fileio.exists(path)]
    if absent:
        raise ScoresError(f"{absent[0]}: no such file, though {layout.SUMMARY} names its day; score again")
    if files:
        table.check(schema_of(files[min(files)]))
    replaced = replaced_days(
        table, rows, run, expiry_days=settings.expiry_days, replace=replace or settings.replace_other_models
    )
    table.replace_days(files, run)
    for date in sorted(rows):
        before = replaced.get(date)
        instead = f", instead of those of model {before.model_version}" if before else ""
        _progress.info("%s: %s scores written to %s%s", date, f"{rows[date]:,}", table.name, instead)
    return {
        "table": table.name,
        "run_id": run.run_id,
        "days": [
            {
                "date": date.isoformat(),
                "rows": rows[date],
                "replaced": replaced[date].to_json() if date in replaced else None,
            }
            for date in sorted(rows)
        ],
    }


class ScoreWriter(
    specification.Component,
    executor=Executor,
    inputs={"scores": Scores},
    outputs={"written": WrittenScores},
    parameters={"dataset": str, "settings": ScoringSettings, "warehouse": str, "table_path": str, "replace": int},
):
    """Writes scores into the score table. Never take its result from the cache; see NODE_ID.

    Inputs:
        scores: Scores.

    Parameters:
        dataset: the data set's name, from which the table has its own unless the settings name one.
        settings: the section `scoring`.
        warehouse: the engine's settings, as JSON.
        table_path: with DuckDB, the database file; else "".
        replace: 1 if this run may replace the scores of a day that another model scored, else 0.

    Outputs:
        written: WrittenScores, with `written.json`.
    """
