"""create_pipeline: the whole DAG, the same for every runner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfx import components as tfx_components
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import transform_pb2
from tfx.types import Channel, standard_artifacts

from models.signatures import EXAMPLES_SIGNATURE
from pipeline.components import example_gen, stock_example_gen
from pipeline.components.curated_schema import CuratedSchema
from pipeline.components.data_gate import DataGate
from pipeline.components.evaluator import Evaluator
from pipeline.components.infra_check import InfraCheck
from pipeline.components.model_selector import ModelSelector
from pipeline.components.pusher import Pusher
from pipeline.components.report import Report
from pipeline.components.statistics_gen import StatisticsGen
from pipeline.components.transform import Transform
from pipeline.digest import code_digest, text_digest
from pipeline.evaluation.eval_config import eval_config
from pipeline.family_nodes import family_nodes
from pipeline.fast import placement
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters

if TYPE_CHECKING:
    from pipeline.training.trainer_job import TrainerJob

# What models are scored with, for the digests of all components that do it.
_SCORING = (
    "pipeline.examples.files",
    "pipeline.fast.scoring.score",
    "pipeline.examples.batches",
    "pipeline.examples.work_units",
    "pipeline.fast.scoring.work",
    "pipeline.fast.text_column",
)


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
    stock: stock_example_gen.StockInput | None = None,
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
        parameters: of this run.
        runtime_parameters: whether the runner passes the parameters to each run of the compiled pipeline, instead of
            their being part of it.
        trainer_job: how each Trainer runs as a Vertex AI custom job; None for inside its step.
        stock: for TFX's own ExampleGen executor, which reads a features table that is there already.
        beam_pipeline_args: Beam options of every Beam step; none where the runner gives each step its own.
        metadata_connection_config: of ML Metadata; None where the runner brings its own.

    Returns:
        A pipeline for BeamDagRunner or KubeflowV2DagRunner.
    """
    dataset, features = folder.dataset, folder.features
    label = dataset.columns.label

    varying = parameters.properties(at_run_time=runtime_parameters)
    accept_incompatible_champion = varying.pop("accept_incompatible_champion")

    executors = placement.executors(run)
    examples = _example_gen(folder, run, executors, varying, stock)

    statistics = (StatisticsGen if executors.batched else tfx_components.StatisticsGen)(
        examples=examples.outputs["examples"],
        stats_options=_stats_options([*features.names, label]),
    )
    if run.schema_source == "curated" and folder.schema_path:
        schema = CuratedSchema(schema_file=folder.schema_path, leave_out=folder.dataset.features.leave_out)
    else:
        schema = tfx_components.SchemaGen(statistics=statistics.outputs["statistics"])
    validator = tfx_components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    champion = Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("Champion")
    data_gate = DataGate(
        examples=examples.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        anomalies=validator.outputs["anomalies"],
        champion=champion.outputs["model"],
        settings=dataset.data_gate,
        accept_incompatible_champion=accept_incompatible_champion,
        digest=_digest("data_gate", "pipeline.champion", "pipeline.data_gate"),
    )

    transform = (Transform if executors.batched else tfx_components.Transform)(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=["train"], transform=["train", "eval"]),
        disable_analyzer_cache=True,  # every run analyzes all of its rows
        disable_statistics=True,  # of raw data StatisticsGen has them; those of transformed data nothing reads
        custom_config={
            "features": features.to_config(),
            "label": label,
            "quantiles": dataset.training.quantiles,
            "digest": code_digest(
                "preprocessing", "models.features", "pipeline.examples.files", "pipeline.fast.transform"
            ),
        },
    )
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
    selector = ModelSelector(
        examples=examples.outputs["examples"],
        models={family: nodes.trainer.outputs["model"] for family, nodes in families.items()},
        champion=champion.outputs["model"],
        champion_blessing=champion.outputs["model_blessing"],
        metric=dataset.training.select_by,
        label=label,
        accept_incompatible_champion=accept_incompatible_champion,
        digest=_digest("model_selector", "pipeline.champion", "pipeline.gate", *_SCORING),
    ).with_id("SelectModel")
    infra_check = InfraCheck(
        model=selector.outputs["model"],
        examples=examples.outputs["examples"],
        settings=dataset.infra_check,
        features=features,
        digest=_digest("infra_check", "pipeline.infra", *_SCORING),
    )
    evaluator = Evaluator(
        examples=examples.outputs["examples"],
        model=selector.outputs["model"],
        champion=champion.outputs["model"],
        infra_blessing=infra_check.outputs["blessing"],
        eval_config=eval_config(dataset, features, signature=EXAMPLES_SIGNATURE),
        gate=dataset.gate,
        bounds=dataset.evaluation.bounds,
        operating_share=dataset.evaluation.operating_share,
        features=features,
        columns=dataset.columns.model_dump(),
        accept_incompatible_champion=accept_incompatible_champion,
        batched=executors.batched,
        digest=_digest(
            "evaluator",
            "pipeline.champion",
            "pipeline.gate",
            "pipeline.evaluation",
            "pipeline.fast.metrics",
            *_SCORING,
        ),
    )
    pusher = Pusher(
        model=selector.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra_check.outputs["blessing"],
        champion=champion.outputs["model"],
        serving=serving,
        digest=_digest("pusher", "pipeline.serving_folder"),
    )
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
        digest=text_digest(json.dumps(folder.to_config(), sort_keys=True), code_digest("models", "pipeline")),
        **{f"{family}_{name}": channel for family, nodes in families.items() for name, channel in nodes.learned()},
    )
    return tfx_pipeline.Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[
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
            report,
        ],
        enable_cache=True,
        beam_pipeline_args=list(beam_pipeline_args),
        metadata_connection_config=metadata_connection_config,
    )


def _example_gen(
    folder: DatasetFolder,
    run: RunSettings,
    executors: placement.Executors,
    varying: dict[str, Any],
    stock: stock_example_gen.StockInput | None,
) -> Any:
    """BigQueryExampleGen, with our executor or the stock one."""
    if stock is not None:
        from tfx.extensions.google_cloud_big_query.example_gen.component import BigQueryExampleGen

        return BigQueryExampleGen(
            input_config=stock.input_config(),
            custom_config=stock.custom_config(),
            custom_executor_spec=executor_spec.BeamExecutorSpec(stock_example_gen.Executor),
        )
    return example_gen.BigQueryExampleGen(
        query=folder.query,
        example_format=executors.example_format,
        custom_config=example_gen.custom_config(
            folder,
            run,
            digest=_digest(
                "example_gen",
                "pipeline.examples",
                "pipeline.warehouse",
            ),
        ),
        **varying,
    )


def _digest(*modules: str) -> str:
    """Digest of what a component computes with: modules of pipeline.components, or dotted names of others."""
    return code_digest(*(name if "." in name else f"pipeline.components.{name}" for name in modules))


def _stats_options(columns: list[str]) -> Any:
    """Statistics of the features and the label; not of `unit`, a user's digest."""
    import tensorflow_data_validation as tfdv

    return tfdv.StatsOptions(feature_allowlist=columns)
