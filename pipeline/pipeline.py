"""create_pipeline: the training DAG, the same for every runner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfx import components as tfx_components
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import transform_pb2

from models.signatures import EXAMPLES_SIGNATURE
from pipeline.champion_node import champion_node
from pipeline.components.curated_schema import CuratedSchema
from pipeline.components.data_gate import DataGate
from pipeline.components.evaluator import Evaluator
from pipeline.components.example_gen import BigQueryExampleGen
from pipeline.components.infra_check import InfraCheck
from pipeline.components.pusher import Pusher
from pipeline.components.report import Report
from pipeline.components.select_model import SelectModel
from pipeline.components.specification import DIGEST
from pipeline.components.statistics_gen import StatisticsGen, StockStatisticsGen
from pipeline.components.stock_example_gen import StockBigQueryExampleGen, StockInput
from pipeline.components.transform import StockTransform, Transform
from pipeline.digest import text_digest
from pipeline.evaluation.eval_config import eval_config
from pipeline.family_nodes import family_nodes
from pipeline.fast import placement
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters

if TYPE_CHECKING:
    from pipeline.training.trainer_job import TrainerJob


def create_pipeline(
    *,
    name: str,
    root: str,
    serving: str,
    folder: DatasetFolder,
    run: RunSettings,
    parameters: RunParameters,
    runtime_parameters: bool = False,
    trainer_job: TrainerJob | None = None,
    stock: StockInput | None = None,
    beam_pipeline_args: Sequence[str] = (),
    metadata_connection_config: Any = None,
) -> tfx_pipeline.Pipeline:
    """Builds the pipeline.

    Args:
        name: the pipeline's name.
        root: where artifacts go.
        serving: the serving folder, where the Pusher puts models, one numbered folder each.
        folder: the data set.
        run: the engine, its data, and how to run.
        parameters: the parameters of this run.
        runtime_parameters: whether the runner passes the parameters to each run of the compiled pipeline. Otherwise
            they are compiled in.
        trainer_job: how each Trainer runs as a Vertex AI custom job; None if it runs inside its step.
        stock: input of TFX's ExampleGen executor, which reads an existing features table; None for our executor.
        beam_pipeline_args: Beam options of every Beam step; none if the runner gives each step its own.
        metadata_connection_config: connection to ML Metadata; None if the runner brings its own.

    Returns:
        A pipeline for BeamDagRunner or KubeflowV2DagRunner.
    """
    dataset, features = folder.dataset, folder.features
    label = dataset.columns.label

    varying = parameters.properties(at_run_time=runtime_parameters)
    accept_incompatible_champion = varying.pop("accept_incompatible_champion")

    executors = placement.executors(run)
    if stock is not None:
        examples = StockBigQueryExampleGen(stock).with_id("BigQueryExampleGen")
    else:
        examples = BigQueryExampleGen(folder=folder, run=run, example_format=executors.example_format, **varying)
    statistics = (StatisticsGen if executors.batched else StockStatisticsGen)(
        examples=examples.outputs["examples"],
        stats_options=_stats_options([*features.names, label]),
    ).with_id("StatisticsGen")
    if run.schema_source == "curated" and folder.schema_path:
        schema = CuratedSchema(schema_file=folder.schema_path, leave_out=dataset.features.leave_out)
    else:
        schema = tfx_components.SchemaGen(statistics=statistics.outputs["statistics"])
    validator = tfx_components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    champion = champion_node()
    data_gate = DataGate(
        examples=examples.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        anomalies=validator.outputs["anomalies"],
        champion=champion.outputs["model"],
        settings=dataset.data_gate,
        accept_incompatible_champion=accept_incompatible_champion,
    )

    transform = (Transform if executors.batched else StockTransform)(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=["train"], transform=["train", "eval"]),
        disable_analyzer_cache=True,  # every run analyzes all of its rows
        disable_statistics=True,  # StatisticsGen has those of raw data, and nothing reads those of transformed data
        custom_config={"features": features.to_config(), "label": label, "quantiles": dataset.training.quantiles},
    ).with_id("Transform")
    transform.add_upstream_node(data_gate)

    families = {
        family: family_nodes(
            family,
            folder,
            examples=examples,
            statistics=statistics,
            schema=schema,
            transform=transform,
            trainer_job=trainer_job,
        )
        for family in dataset.training.families
    }
    selector = SelectModel(
        examples=examples.outputs["examples"],
        **{family: nodes.trainer.outputs["model"] for family, nodes in families.items()},
        champion=champion.outputs["model"],
        champion_blessing=champion.outputs["model_blessing"],
        metric=dataset.training.select_by,
        label=label,
        accept_incompatible_champion=accept_incompatible_champion,
    )
    infra_check = InfraCheck(
        model=selector.outputs["model"],
        examples=examples.outputs["examples"],
        settings=dataset.infra_check,
        features=features,
    )
    evaluator = Evaluator(
        examples=examples.outputs["examples"],
        model=selector.outputs["model"],
        baseline_model=champion.outputs["model"],
        infra_blessing=infra_check.outputs["blessing"],
        eval_config=eval_config(dataset, features, signature=EXAMPLES_SIGNATURE),
        gate=dataset.gate,
        evaluation_settings=dataset.evaluation,
        columns=dataset.columns,
        features=features,
        accept_incompatible_champion=accept_incompatible_champion,
        batched=executors.batched,
    )
    pusher = Pusher(
        model=selector.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra_check.outputs["blessing"],
        champion=champion.outputs["model"],
        serving=serving,
    )
    components = [
        examples,
        statistics,
        schema,
        validator,
        champion,
        data_gate,
        transform,
        *(node for nodes in families.values() for node in nodes.all),
        selector,
        infra_check,
        evaluator,
        pusher,
    ]
    report = Report(
        examples=examples.outputs["examples"],
        anomalies=validator.outputs["anomalies"],
        drift=data_gate.outputs["drift"],
        model=selector.outputs["model"],
        infra_blessing=infra_check.outputs["blessing"],
        verdict=evaluator.outputs["verdict"],
        pushed_model=pusher.outputs["pushed_model"],
        title=folder.name,
        features=features,
        label=label,
        run_digest=_run_digest(folder, components),
        **{f"{family}_{name}": channel for family, nodes in families.items() for name, channel in nodes.learned()},
    )
    return tfx_pipeline.Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[*components, report],
        enable_cache=True,
        beam_pipeline_args=list(beam_pipeline_args),
        metadata_connection_config=metadata_connection_config,
    )


def _run_digest(folder: DatasetFolder, components: Sequence[BaseNode]) -> str:
    """Digest of the data set's settings and of the code of all components."""
    code = [str(component.exec_properties.get(DIGEST)) for component in components]
    return text_digest(json.dumps(folder.to_config(), sort_keys=True), *code)


def _stats_options(columns: list[str]) -> Any:
    """Options for statistics of the features and the label, but not of `unit`, which identifies a user."""
    import tensorflow_data_validation as tfdv

    return tfdv.StatsOptions(feature_allowlist=columns)
