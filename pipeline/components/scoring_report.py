"""ScoringReport: writes the HTML page of a scoring run."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from models.features import FeatureSet
from pipeline import artifacts
from pipeline.champion import training_record
from pipeline.components import specification
from pipeline.data_gate import anomalies
from pipeline.evaluation.test_scores import TEST_SCORES
from pipeline.examples import files
from pipeline.examples.raw import UNIT
from pipeline.examples.splits import split_files
from pipeline.fast.compat import stats_artifact_utils
from pipeline.report import scoring_collect
from pipeline.report.collect import read_json
from pipeline.report.feature_summaries import DaySummaries, RankedDays, first_reasons, summarise
from pipeline.report.scoring_data import Change, ScoringData, Summaries
from pipeline.report.scoring_page import render_scoring_report
from pipeline.scores import layout
from pipeline.scores.day_changes import day_changes
from pipeline.scores.files import schema_of
from pipeline.scores.opening import open_table, table_name
from pipeline.settings.dataset import SCORE_SPLIT
from pipeline.settings.run import BigQuerySettings, DuckDBSettings
from pipeline.settings.scoring import ScoringSettings

_ENGINES = {"duckdb": DuckDBSettings, "bigquery": BigQuerySettings}


class Executor(base_executor.BaseExecutor):
    """Reads the artifacts of the run and the score table, and writes the page."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `report.html`, and keeps the features of the newest date beside the score table.

        Args:
            input_dict: ScoringReport's inputs.
            output_dict: `report`: one Report.
            exec_properties: ScoringReport's parameters.

        Raises:
            ScoresError: the score table or a file of scores cannot be read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        one = {name: found[0] for name, found in input_dict.items() if found}
        features = specification.read_settings(exec_properties, "features", FeatureSet)
        settings = specification.read_settings(exec_properties, "settings", ScoringSettings)
        scores = read_json(one["scores"], layout.SUMMARY) or {}
        drift = anomalies.load(one["drift"], SCORE_SPLIT)
        statistics = stats_artifact_utils.load_statistics(one["statistics"], SCORE_SPLIT).proto()
        with tempfile.TemporaryDirectory(prefix="propensity-report-") as work:
            days = _ranked_days(one, scores, features, work)
            found = _summarise(one["examples"], days, features)
            history = _history(exec_properties, settings, days, scores, found)
            data = ScoringData(
                title=exec_properties["title"],
                scores=scores,
                written=read_json(one["written"], artifacts.WRITTEN) or {},
                settings=settings,
                warnings=read_json(one["drift"], artifacts.FAR_OFF) or [],
                anomalies=scoring_collect.findings(drift),
                distances=scoring_collect.distances(drift),
                trained=scoring_collect.summaries(training_record.read_statistics(one["model"].uri), features),
                scored=scoring_collect.summaries(statistics, features),
                newest=found.newest,
                earlier=(scores["dates"][-2]["date"], found.earlier) if found.earlier else history.features,
                top=found.top,
                rest=found.rest,
                test=read_json(one["blessing"], TEST_SCORES) if "blessing" in one else None,
                first_reasons=first_reasons(days.newest) if scores.get("reasons") else {},
                change=history.change,
                made_at=f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
            )
        report = artifact_utils.get_single_instance(output_dict["report"])
        fileio.makedirs(report.uri)
        with fileio.open(os.path.join(report.uri, artifacts.REPORT_PAGE), "w") as file:
            file.write(render_scoring_report(data))


def _ranked_days(
    one: Mapping[str, types.Artifact], scores: Mapping[str, Any], features: FeatureSet, work: str
) -> RankedDays:
    """Copies the files of the newest two dates to this machine, and finds key and date in the examples."""
    copies = []
    for day in reversed(scores["dates"][-2:]):
        name = layout.day_file(datetime.date.fromisoformat(day["date"]))
        copies.append(os.path.join(work, name))
        fileio.copy(os.path.join(one["scores"].uri, name), copies[-1])
    key = schema_of(copies[0]).names[0]
    key_column = UNIT if key == layout.ROW_KEY else key
    batch = next(iter(files.record_batches(split_files(one["examples"], SCORE_SPLIT), rows=1)))
    # Examples hold the unit, the key, the date and the features.
    others = [name for name in batch.schema.names if name not in (UNIT, key_column, *features.names)]
    if len(scores["dates"]) > 1 and len(others) != 1:
        raise layout.ScoresError(f"the examples of several dates must have one column of dates; they have {others}")
    date_column = others[0] if len(scores["dates"]) > 1 else None
    return RankedDays(copies[0], copies[1] if len(copies) > 1 else None, key_column, date_column)


def _summarise(examples: types.Artifact, days: RankedDays, features: FeatureSet) -> DaySummaries:
    read = functools.partial(_read, split_files(examples, SCORE_SPLIT))
    return summarise(days, features, read)


def _read(paths: Sequence[str], columns: Sequence[str]) -> Any:
    return files.record_batches(paths, columns)


@dataclasses.dataclass(frozen=True)
class _History:
    """The day before in the score table, and the features of the day before that were kept; None without one."""

    change: Change | None
    features: tuple[str, Summaries] | None


def _history(
    exec_properties: Mapping[str, Any],
    settings: ScoringSettings,
    days: RankedDays,
    scores: Mapping[str, Any],
    found: DaySummaries,
) -> _History:
    """Compares with the score table, and keeps the features of the newest date there."""
    engine = _ENGINES[json.loads(exec_properties["warehouse"])["engine"]]
    warehouse = specification.read_settings(exec_properties, "warehouse", engine)
    name = table_name(exec_properties["title"], settings)
    key = schema_of(days.newest).names[0]
    date = datetime.date.fromisoformat(scores["dates"][-1]["date"])
    with open_table(warehouse, name, settings, exec_properties["table_path"]) as table:
        before = table.latest_before(date)
        figures = day_changes(table.rows_of(before.date), days.newest, key) if before else None
        kept = table.features_before(date)
        table.keep_features(date, scores["run_id"], scoring_collect.to_text(found.newest))
    return _History(
        Change(before, figures, followed=key != layout.ROW_KEY) if before and figures else None,
        (kept[0].isoformat(), scoring_collect.from_text(kept[1])) if kept else None,
    )


class ScoringReport(
    specification.Component,
    executor=Executor,
    inputs={
        "examples": standard_artifacts.Examples,
        "statistics": standard_artifacts.ExampleStatistics,
        "drift": standard_artifacts.ExampleAnomalies,
        "model": standard_artifacts.Model,
        "scores": artifacts.Scores,
        "written": artifacts.WrittenScores,
        "blessing": specification.optional(standard_artifacts.ModelBlessing),
    },
    outputs={"report": artifacts.Report},
    parameters={
        "title": str,
        "features": FeatureSet,
        "settings": ScoringSettings,
        "warehouse": str,
        "table_path": str,
    },
):
    """Writes one static page about a scoring run, and adds the features of its newest date to `<table>_features`.

    Inputs:
        examples: raw Examples with the split `score`.
        statistics: their ExampleStatistics.
        drift: ExampleAnomalies of ScoringGate, with `far_off.json`.
        model: the champion.
        scores: Scores of Scorer.
        written: WrittenScores of ScoreWriter.
        blessing: the champion's ModelBlessing, with its scores of the test rows; optional.

    Parameters:
        title: the heading: the data set's name.
        features: the features.
        settings: the section `scoring`.
        warehouse: the engine's settings, as JSON.
        table_path: with DuckDB, the database file of the score table; else "".

    Outputs:
        report: Report with `report.html`.
    """
