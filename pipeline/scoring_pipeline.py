"""create_scoring_pipeline: the scoring DAG, the same for every runner.

It has the training pipeline's name, so that in ML Metadata both share one champion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow_data_validation as tfdv
from tfx import components as tfx_components
from tfx.orchestration import pipeline as tfx_pipeline

from pipeline.champion_node import champion_node
from pipeline.components.champion_schema import ChampionSchema
from pipeline.components.score_writer import ScoreWriter
from pipeline.components.scorer import Scorer
from pipeline.components.scoring_example_gen import ScoringExampleGen
from pipeline.components.scoring_gate import ScoringGate
from pipeline.components.scoring_report import ScoringReport
from pipeline.components.statistics_gen import StatisticsGen, StockStatisticsGen
from pipeline.fast import placement
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import ScoringParameters


def create_scoring_pipeline(
    *,
    name: str,
    root: str,
    score_table: str,
    folder: DatasetFolder,
    run: RunSettings,
    parameters: ScoringParameters,
    runtime_parameters: bool = False,
    beam_pipeline_args: Sequence[str] = (),
    metadata_connection_config: Any = None,
) -> tfx_pipeline.Pipeline:
    """Builds the pipeline.

    Args:
        name: the training pipeline's name.
        root: where artifacts go.
        score_table: for DuckDB, the database file of the score table; for BigQuery, "".
        folder: the data set.
        run: the engine, its data, and how to run.
        parameters: the parameters of this run.
        runtime_parameters: whether the runner passes the parameters to each run of the compiled pipeline. Otherwise
            they are compiled in.
        beam_pipeline_args: Beam options of every Beam step; none if the runner gives each step its own.
        metadata_connection_config: connection to ML Metadata; None if the runner brings its own.

    Returns:
        A pipeline for BeamDagRunner or KubeflowV2DagRunner.
    """
    dataset, features = folder.dataset, folder.features
    varying = parameters.properties(at_run_time=runtime_parameters)
    replace, run_id, snapshot_date = (varying.pop(name) for name in ("replace", "run_id", "snapshot_date"))

    executors = placement.executors(run)
    examples = ScoringExampleGen(folder=folder, run=run, example_format=executors.example_format, **varying).with_id(
        "BigQueryExampleGen"
    )
    statistics = (StatisticsGen if executors.batched else StockStatisticsGen)(
        examples=examples.outputs["examples"],
        stats_options=tfdv.StatsOptions(feature_allowlist=list(features.names)),  # not the key
    ).with_id("StatisticsGen")
    champion = champion_node()
    schema = ChampionSchema(champion=champion.outputs["model"], label=dataset.columns.label, features=features)
    validator = tfx_components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    gate = ScoringGate(
        examples=examples.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        anomalies=validator.outputs["anomalies"],
        champion=champion.outputs["model"],
        settings=dataset.data_gate,
    ).with_id("DataGate")
    scorer = Scorer(
        examples=examples.outputs["examples"],
        model=champion.outputs["model"],
        settings=dataset.scoring,
        columns=dataset.columns,
        features=features,
        snapshot_date=snapshot_date,
        run_id=run_id,
    )
    scorer.add_upstream_node(gate)
    writer = ScoreWriter(
        scores=scorer.outputs["scores"],
        dataset=folder.name,
        settings=dataset.scoring,
        warehouse=run.warehouse,
        table_path=score_table,
        replace=replace,
    )
    report = ScoringReport(
        examples=examples.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        drift=gate.outputs["drift"],
        model=champion.outputs["model"],
        blessing=champion.outputs["model_blessing"],
        scores=scorer.outputs["scores"],
        written=writer.outputs["written"],
        title=folder.name,
        features=features,
        settings=dataset.scoring,
        warehouse=run.warehouse,
        table_path=score_table,
    )
    return tfx_pipeline.Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[examples, statistics, champion, schema, validator, gate, scorer, writer, report],
        enable_cache=True,
        beam_pipeline_args=list(beam_pipeline_args),
        metadata_connection_config=metadata_connection_config,
    )
