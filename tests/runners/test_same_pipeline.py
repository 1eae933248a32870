"""The pipeline that runs here and the one that Vertex AI is given are the same."""

import copy
from pathlib import Path

import pytest

import runners
import schema
from models.config import load_settings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from runners import local_runner, vertex_runner
from runners.local_home import LocalHome
from runners.vertex.kinds import SCORING, TRAINING
from runners.vertex.settings import load_vertex_settings
from tests.runners.dag_comparison import differences, from_ir, from_job, unexplained

HERE = Path(runners.__file__).parent

# What must differ between runners/local.yaml and runners/vertex.yaml; anything else is an error, and so is one of
# these that does not differ.
_RUN = "BigQueryExampleGen.properties.custom_config.value.custom_config.value.json.run"
PLACES = (
    "root",  # a folder here, Cloud Storage there
    "Pusher.properties.push_destination.value.filesystem.base_directory",  # likewise
    f"{_RUN}.warehouse.*",  # DuckDB here, BigQuery there
    f"{_RUN}.data",  # DuckDB's files
)
RUNTIME_PARAMETERS = (  # their values are equal all the same: those that the job passes
    "BigQueryExampleGen.parameters.as_of",
    "BigQueryExampleGen.parameters.sample_percent",
    "BigQueryExampleGen.parameters.data_fingerprint",
    "DataGate.parameters.accept_incompatible_champion",
    "SelectModel.parameters.accept_incompatible_champion",
    "Evaluator.parameters.accept_incompatible_champion",
)
DRIVER = ("BigQueryExampleGen.driver",)  # Vertex AI has none; it replaces {SPAN} in queries, which ours do not have
DATAFLOW = ("StatisticsGen.beam_args", "Transform.beam_args", "Evaluator.beam_args")
ALERT = ("AlertOnFailure.*",)  # the exit handler; only Vertex AI has them
TRAINER_JOB = (  # another executor, and so another digest of the code
    *(
        f"Train{family}.{what}"
        for family in ("Keras", "XGBoost")
        for what in ("executor", "properties.custom_config.value.ai_platform_*", "properties.digest.value")
    ),
    "Report.properties.run_digest.value",
)
ALWAYS = (*PLACES, *RUNTIME_PARAMETERS, *DRIVER)
AS_DELIVERED = (*ALWAYS, *DATAFLOW, *ALERT)

_IMPORTED = {"training.tuning.hyperparameters": {"xgboost": "gs://bucket/best_hyperparameters/17"}}
_JOBS = {"trainer_job": {"machine_type": "n1-standard-16"}}
_INFERRED = {"schema_source": "inferred"}
CASES = {  # data set, what its settings are instead, and those of both runners, of Vertex AI alone; what must differ
    "ga4": ("ga4", {}, {}, {}, AS_DELIVERED),
    "ga360": ("ga360", {}, {}, {}, AS_DELIVERED),
    "a table": ("online_shoppers", {}, {}, {}, AS_DELIVERED),
    "search": ("ga4", {"training.tuning.search": "random"}, {}, {}, AS_DELIVERED),
    "imported hyperparameters": ("ga4", _IMPORTED, {}, {}, AS_DELIVERED),
    "one family": ("ga4", {"training.families": ["xgboost"]}, {}, {}, AS_DELIVERED),
    "inferred schema": ("ga4", {}, _INFERRED, {}, AS_DELIVERED),
    "stock executors": ("ga4", {}, {"executors": "stock"}, {}, AS_DELIVERED),
    "no Dataflow, no alert": ("ga4", {}, {}, {"dataflow": None, "alert_topic": None}, ALWAYS),
    "trainers as jobs": ("ga4", {}, {}, _JOBS, (*AS_DELIVERED, *TRAINER_JOB)),
}


def both(dataset, overrides, settings, vertex):
    """The pipeline here, and the job."""
    from tfx.dsl.compiler import compiler

    folder = DatasetFolder.load(schema.ROOT / dataset, overrides)
    run = load_settings(HERE / "local.yaml", RunSettings, {"data": "data", **settings})
    on_vertex = load_vertex_settings(HERE / "vertex.yaml", {**settings, **vertex})
    parameters = TRAINING.default_parameters(folder, on_vertex)
    here = local_runner.local_pipeline(folder, run, LocalHome(run.output, dataset), parameters)
    return from_ir(compiler.Compiler().compile(here)), vertex_runner.compile_job(folder, on_vertex)


_SCORING_RUN = (  # the run's settings are part of these steps
    f"{_RUN}.*",
    "Scor*.properties.warehouse.value.*",
    "Scor*.properties.table_path.value",  # BigQuery has no file
)
SCORING_AS_DELIVERED = (
    "root",
    *_SCORING_RUN,
    "BigQueryExampleGen.parameters.*",
    "Scorer.parameters.snapshot_date",
    "ScoreWriter.parameters.replace",
    "ScoreWriter.cached",  # BeamDagRunner is told for each run
    *DRIVER,
    "StatisticsGen.beam_args",
    "Scorer.beam_args",
    *ALERT,
)
SCORING_CASES = {  # data set, what its settings are instead, those of both runners, of Vertex AI; what must differ
    "ga4": ("ga4", {}, {}, {}, SCORING_AS_DELIVERED),
    "a table": ("online_shoppers", {}, {}, {}, SCORING_AS_DELIVERED),
    "other settings of scores": (
        "ga4",
        {"scoring": {"holdout_percent": 5, "replace_other_models": True}},
        {},
        {},
        SCORING_AS_DELIVERED,
    ),
    "stock executors": ("ga4", {}, {"executors": "stock"}, {}, SCORING_AS_DELIVERED),
}


def both_scoring(dataset, overrides, settings, vertex):
    """The scoring pipeline here, as runners.score makes it, and the job."""
    from tfx.dsl.compiler import compiler

    from pipeline.scoring_pipeline import create_scoring_pipeline

    folder = DatasetFolder.load(schema.ROOT / dataset, overrides)
    run = load_settings(HERE / "local.yaml", RunSettings, {"data": "data", **settings})
    on_vertex = load_vertex_settings(HERE / "vertex.yaml", {**settings, **vertex})
    home = LocalHome(run.output, dataset)
    here = create_scoring_pipeline(
        name=folder.pipeline_name,
        root=home.artifacts,
        score_table=str(home.score_table),
        folder=folder,
        run=run,
        parameters=SCORING.default_parameters(folder, on_vertex),
        beam_pipeline_args=run.beam_options(),
        metadata_connection_config=home.connection(),
    )
    return from_ir(compiler.Compiler().compile(here)), vertex_runner.compile_job(folder, on_vertex, SCORING)


@pytest.mark.parametrize("case", SCORING_CASES)
def test_the_scoring_pipelines_are_the_same(case):
    *made_of, expected = SCORING_CASES[case]
    here, job = both_scoring(*made_of)
    assert unexplained(differences(here, from_job(job)), expected) == []


def test_the_nodes_of_the_scoring_pipeline():
    here, job = both_scoring(*SCORING_CASES["ga4"][:-1])
    nodes = from_job(job).nodes
    assert set(nodes) - {"AlertOnFailure"} == set(here.nodes)
    assert set(nodes) >= {
        *("BigQueryExampleGen", "StatisticsGen", "Champion", "ChampionSchema", "ExampleValidator", "DataGate"),
        *("Scorer", "ScoreWriter"),
    }
    assert nodes["Scorer"].after == ["DataGate"]
    assert nodes["Scorer"].inputs["model"] == [["Champion", "model", "Model"]]
    assert from_job(job).name == "propensity-ga4", "the training pipeline's, so that it finds the champion"
    assert nodes["Champion"].executor.endswith("LatestBlessedModelStrategy")


@pytest.mark.parametrize("case", CASES)
def test_the_pipelines_are_the_same(case):
    *made_of, expected = CASES[case]
    here, job = both(*made_of)
    assert unexplained(differences(here, from_job(job)), expected) == []


def test_what_is_compared_is_all_there():
    here, _ = both(*CASES["search"][:-1])
    nodes = here.nodes
    assert {"Champion", "TuneKeras", "TrainXGBoost", "SelectModel", "Evaluator", "Pusher"} <= set(nodes)
    assert nodes["Evaluator"].executor == "pipeline.components.evaluator.Executor"
    assert nodes["Evaluator"].inputs["baseline_model"] == [["Champion", "model", "Model"]]
    assert nodes["Transform"].after == ["DataGate"]
    assert nodes["BigQueryExampleGen"].outputs["examples"]["properties"]["split_names"] == "STRING"
    assert nodes["Transform"].properties["splits_config"]["value"]["analyze"] == ["train"]
    assert set(nodes["Champion"].outputs) == {"model", "model_blessing"}
    assert nodes["Champion"].executor.endswith("LatestBlessedModelStrategy")


@pytest.fixture(scope="module")
def delivered():
    return both(*CASES["search"][:-1])


def tasks(job):
    return vertex_runner.tasks_of(job["pipelineSpec"])


def constant(job, step, name, value):
    tasks(job)[step]["inputs"]["parameters"][name] = {"runtimeValue": {"constant": value}}


def component(job, step):
    return job["pipelineSpec"]["components"][step]


def container(job, step):
    return job["pipelineSpec"]["deploymentSpec"]["executors"][f"{step}_executor"]["container"]


def remove_node(job, step):
    [dag] = [
        part["dag"]
        for part in job["pipelineSpec"]["components"].values()
        if step in part.get("dag", {}).get("tasks", {})
    ]
    del dag["tasks"][step]


def retype(kind, old, new):
    text = kind["artifactType"]["instanceSchema"]
    assert old in text
    kind["artifactType"]["instanceSchema"] = text.replace(old, new)


def replace_argument(job, step, old, new):
    arguments = container(job, step)["args"]
    arguments[arguments.index(old)] = new


def unbless(job):
    query = job["pipelineSpec"]["deploymentSpec"]["executors"]["Champion-model-blessing-resolver_executor"]["resolver"]
    query["outputArtifactQueries"]["model_blessing"]["filter"] = 'schema_title="tfx.ModelBlessing" AND state=LIVE'


def rewire(job, step, name, producer, output="model"):
    tasks(job)[step]["inputs"]["artifacts"][name]["taskOutputArtifact"] = {
        "producerTask": producer,
        "outputArtifactKey": output,
    }


MUTATIONS = {  # what is done to the job, and where it shows
    "an edge removed": (
        lambda job: tasks(job)["Evaluator"]["inputs"]["artifacts"].pop("baseline_model"),
        "Evaluator.inputs.baseline_model",
    ),
    "an edge from another step": (lambda job: rewire(job, "Pusher", "model", "TrainKeras"), "Pusher.inputs.model"),
    "an edge from another output": (
        lambda job: rewire(job, "TrainKeras", "raw_examples", "Transform", "transformed_examples"),
        "TrainKeras.inputs.raw_examples",
    ),
    "a dependency removed": (
        lambda job: tasks(job)["Transform"]["dependentTasks"].remove("DataGate"),
        "Transform.after",
    ),
    "a dependency added": (
        lambda job: tasks(job)["InfraCheck"]["dependentTasks"].append("TrainKeras"),
        "InfraCheck.after",
    ),
    "a property changed": (
        lambda job: constant(job, "SelectModel", "metric", "other"),
        "SelectModel.properties.metric.value",
    ),
    "a number changed": (
        lambda job: constant(job, "BigQueryExampleGen", "output_data_format", 1),
        "BigQueryExampleGen.properties.output_data_format.value",
    ),
    "a property changed within JSON": (
        lambda job: constant(
            job, "Transform", "splits_config", '{"analyze": ["train"], "transform": ["train", "test"]}'
        ),
        "Transform.properties.splits_config.value.transform",
    ),
    "a property removed": (
        lambda job: tasks(job)["Report"]["inputs"]["parameters"].pop("title"),
        "Report.properties.title.value",
    ),
    "a property of another type": (
        lambda job: component(job, "BigQueryExampleGen")["inputDefinitions"]["parameters"].update(
            output_data_format={"parameterType": "STRING"}
        ),
        "BigQueryExampleGen.properties.output_data_format.type",
    ),
    "another parameter's value": (
        lambda job: job["runtimeConfig"]["parameterValues"].update(sample_percent=10),
        "BigQueryExampleGen.properties.sample_percent.value",
    ),
    "a runtime parameter that became constant": (
        lambda job: constant(job, "SelectModel", "accept_incompatible_champion", 0),
        "SelectModel.parameters.accept_incompatible_champion",
    ),
    "another artifact type": (
        lambda job: retype(
            component(job, "SelectModel")["outputDefinitions"]["artifacts"]["model"], "tfx.Model", "tfx.PushedModel"
        ),
        "SelectModel.outputs.model.type",
    ),
    "another type of an artifact's property": (
        lambda job: retype(
            component(job, "BigQueryExampleGen")["outputDefinitions"]["artifacts"]["examples"],
            "span:\n    type: integer",
            "span:\n    type: string",
        ),
        "BigQueryExampleGen.outputs.examples.properties.span",
    ),
    "another type of an input": (
        lambda job: retype(
            component(job, "Pusher")["inputDefinitions"]["artifacts"]["model"], "tfx.Model", "tfx.PushedModel"
        ),
        "Pusher.inputs.model",
    ),
    "a step removed": (lambda job: remove_node(job, "InfraCheck"), "InfraCheck.executor"),
    "another executor": (
        lambda job: replace_argument(
            job, "Evaluator", "pipeline.components.evaluator.Executor", "tfx.components.evaluator.executor.Executor"
        ),
        "Evaluator.executor",
    ),
    "Beam options of a step without Beam": (
        lambda job: container(job, "SelectModel")["args"].append("--runner=DataflowRunner"),
        "SelectModel.beam_args",
    ),
    "a champion that was never blessed": (unbless, "Champion.executor"),
    "a step that is never cached": (
        lambda job: tasks(job)["Transform"].pop("cachingOptions"),
        "Transform.cached",
    ),
    "another name": (lambda job: job["pipelineSpec"]["pipelineInfo"].update(name="other"), "name"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_change_of_the_job_is_found(delivered, mutation):
    here, job = delivered
    change, path = MUTATIONS[mutation]
    changed = copy.deepcopy(job)
    change(changed)
    assert path in unexplained(differences(here, from_job(changed)), AS_DELIVERED)
