"""The private and undocumented modules of TFX and its libraries that this project uses, and the versions tested.

To review an upgrade, read this file: check that each module below still exists and still does what the tests named in
README.md hold, then add the new version to TESTED_VERSIONS. Nothing else in the project imports such a module;
tests/pipeline/fast/test_compat.py checks that and defines what counts as documented.

Each module is imported when it is first asked for, so `from pipeline.fast.compat import examples_utils` does not load
TFMA.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from types import ModuleType

# Distribution -> the releases, as major.minor, that the tests have passed with.
TESTED_VERSIONS = {
    "tfx": ("1.16", "1.21"),
    "tfx-bsl": ("1.16", "1.21"),
    "tensorflow-data-validation": ("1.16", "1.21"),
    "tensorflow-transform": ("1.16", "1.21"),
    "tensorflow-model-analysis": ("0.47", "0.52"),
    "keras-tuner": ("1.4",),
}
# KerasTuner is used by the Tuner alone, which has no stock variant to fall back to.
TUNER_LIBRARIES = ("keras-tuner",)
EXECUTOR_LIBRARIES = tuple(name for name in TESTED_VERSIONS if name not in TUNER_LIBRARIES)

# Read by pipeline.digest as well, so that a component's cache key holds the versions of what it uses of these.
LOADED_BY_NAME = {
    # TFDV: its combiners, called on record batches instead of in a Beam pipeline.
    "arrow_util": "tensorflow_data_validation.arrow.arrow_util",
    "schema_util": "tensorflow_data_validation.utils.schema_util",
    "sketch_generators": ("tensorflow_data_validation.statistics.generators.top_k_uniques_sketch_stats_generator"),
    "stats_impl": "tensorflow_data_validation.statistics.stats_impl",
    "stats_util": "tensorflow_data_validation.utils.stats_util",
    "top_k_uniques_stats_util": "tensorflow_data_validation.utils.top_k_uniques_stats_util",
    # TFT: the tracing of a preprocessing_fn, its graph of analyzers and the files of its cache.
    "analysis_graph_builder": "tensorflow_transform.beam.analysis_graph_builder",
    "analyzer_cache": "tensorflow_transform.beam.analyzer_cache",
    "analyzer_nodes": "tensorflow_transform.analyzer_nodes",
    "analyzers": "tensorflow_transform.analyzers",
    "annotators": "tensorflow_transform.annotators",
    "beam_nodes": "tensorflow_transform.beam.beam_nodes",
    "graph_tools": "tensorflow_transform.graph_tools",
    "impl_helper": "tensorflow_transform.impl_helper",
    "metadata_io": "tensorflow_transform.tf_metadata.metadata_io",
    "nodes": "tensorflow_transform.nodes",
    # TFMA: computations of an EvalConfig, their accumulators and the validator of thresholds.
    "binary_confusion_matrices": "tensorflow_model_analysis.metrics.binary_confusion_matrices",
    "calibration_histogram": "tensorflow_model_analysis.metrics.calibration_histogram",
    "metric_specs": "tensorflow_model_analysis.metrics.metric_specs",
    "metric_types": "tensorflow_model_analysis.metrics.metric_types",
    "metrics_validator": "tensorflow_model_analysis.evaluators.metrics_validator",
    "model_util": "tensorflow_model_analysis.utils.model_util",
    "slicer_lib": "tensorflow_model_analysis.slicer.slicer_lib",
    # tfx_bsl: tf.Examples to record batches and back.
    "array_util": "tfx_bsl.arrow.array_util",
    "example_coder": "tfx_bsl.coders.example_coder",
    # TFX: what its own executors call.
    "cli_context": "tfx.tools.cli.cli_context",
    "cli_labels": "tfx.tools.cli.labels",
    "evaluator_constants": "tfx.components.evaluator.constants",
    "example_gen_utils": "tfx.components.example_gen.utils",
    "examples_utils": "tfx.components.util.examples_utils",
    "json_utils": "tfx.utils.json_utils",
    "kubeflow_utils": "tfx.orchestration.kubeflow.utils",
    "model_utils": "tfx.components.util.model_utils",
    "path_utils": "tfx.utils.path_utils",
    "proto_utils": "tfx.utils.proto_utils",
    "stats_artifact_utils": "tfx.components.statistics_gen.stats_artifact_utils",
    "stats_utils": "tfx.utils.stats_utils",
    "tfxio_utils": "tfx.components.util.tfxio_utils",
    "transform_labels": "tfx.components.transform.labels",
    "transform_utils": "tfx.components.transform.executor_utils",
    "udf_utils": "tfx.components.util.udf_utils",
}


def __getattr__(name: str) -> ModuleType:
    """Imports one of the modules above under its short name.

    Raises:
        AttributeError: no such name.
        ImportError: the installed version of the library lacks the module.
    """
    if name not in LOADED_BY_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(LOADED_BY_NAME[name])
    globals()[name] = module
    return module


def untested_versions(libraries: tuple[str, ...] = EXECUTOR_LIBRARIES) -> str:
    """Lists the libraries whose installed versions were not tested.

    Args:
        libraries: keys of TESTED_VERSIONS.

    Returns:
        Names, versions and the tested ones, in words; empty if all were tested.
    """
    found = {name: metadata.version(name) for name in libraries}
    return ", ".join(
        f"{name} {version} (tested: {', '.join(TESTED_VERSIONS[name])})"
        for name, version in found.items()
        if ".".join(version.split(".")[:2]) not in TESTED_VERSIONS[name]
    )
