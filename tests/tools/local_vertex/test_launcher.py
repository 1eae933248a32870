import json

import pytest

from tests.tools.local_vertex.jobs import (
    MODEL,
    constant,
    container,
    images,
    job,
    judge,
    launch,
    of,
    outputs,
    task,
    training_job,
)
from tools.local_vertex.job import JobError

COMPLETED = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


def states(launcher):
    return {name: found.state for name, found in launcher.tasks.items()}


def ran(launcher):
    """The images of all commands, in order: each test's containers are named after their task."""
    return [command.image for command in launcher.engine.commands]


def champion_seen(launcher):
    [given] = [json.loads(command.args[0]) for command in launcher.engine.commands if command.image == "SelectModel"]
    return [artifact["name"] for artifact in given["inputs"]["artifacts"]["champion"]["artifacts"]]


def trained(launcher):
    return launcher.tasks["SelectModel"].outputs.artifacts["model"][0]["name"]


def test_the_next_run_resolves_the_newest_blessed_model(tmp_path):
    first = launch(tmp_path, training_job(), {"Evaluator": judge(1)}, run_id="run-1")
    assert champion_seen(first) == []
    refused = launch(tmp_path, training_job(), {"Evaluator": judge(0)}, run_id="run-2")
    assert champion_seen(refused) == [trained(first)]
    third = launch(tmp_path, training_job(), {"Evaluator": judge(1)}, run_id="run-3")
    assert champion_seen(third) == [trained(first)]
    fourth = launch(tmp_path, training_job(), {"Evaluator": judge(0)}, run_id="run-4")
    assert champion_seen(fourth) == [trained(third)]
    names = {trained(launcher) for launcher in (first, refused, third, fourth)}
    assert len(names) == 4
    assert all(name.startswith("projects/") and "/artifacts/" in name for name in names)


def test_a_pipeline_does_not_see_the_models_of_another(tmp_path):
    launch(tmp_path, training_job(), {"Evaluator": judge(1)}, run_id="run-1")
    other = training_job()
    other["pipelineSpec"]["pipelineInfo"]["name"] = "other"
    assert champion_seen(launch(tmp_path, other, {"Evaluator": judge(1)}, run_id="run-2")) == []


def test_the_outputs_of_a_failed_step_are_not_found(tmp_path):
    launch(tmp_path, training_job(), {"Evaluator": lambda given: 1}, run_id="run-1")
    assert champion_seen(launch(tmp_path, training_job(), {"Evaluator": judge(1)}, run_id="run-2")) == []


def test_what_the_executor_says_of_its_outputs_reaches_the_next_step(tmp_path):
    tasks = {"A": task("A"), "B": task("B", artifacts={"model": of("A", "model")})}
    said = {"artifacts": {"model": {"artifacts": [{"uri": "/gcs/elsewhere", "metadata": {"rows": 3.0}}]}}}
    launcher = launch(
        tmp_path,
        job(tasks, {"A": outputs(model=MODEL)}, images("A", "B")),
        {"A": lambda given: said},
    )
    given = json.loads(launcher.engine.commands[1].args[0])
    [artifact] = given["inputs"]["artifacts"]["model"]["artifacts"]
    assert artifact["uri"] == "/gcs/elsewhere"
    assert artifact["metadata"] == {"rows": 3}
    assert artifact["type"] == MODEL
    before = json.loads(launcher.engine.commands[0].args[0])["outputs"]
    assert before["artifacts"]["model"]["artifacts"][0]["name"] == artifact["name"]
    assert before["outputFile"] == "/gcs/bucket/root/123456789012/run-1/A/executor_output.json"


def test_tasks_run_after_those_they_depend_on(tmp_path):
    tasks = {"A": task("A", "C"), "B": task("B"), "C": task("C", artifacts={"x": of("B", "model")})}
    launcher = launch(tmp_path, job(tasks, {"B": outputs(model=MODEL)}, images("A", "B", "C")))
    assert launcher.succeeded
    assert ran(launcher) == ["B", "C", "A"]


def test_parameters_are_passed_and_placeholders_replaced(tmp_path):
    args = ["{{$.inputs.parameters['rows']}}", "--label={{$.pipeline_job_name}}", "{{$.inputs.parameters['text']}}"]
    tasks = {
        "A": task(
            "A",
            parameters={
                "rows": {"componentInputParameter": "rows"},
                "text": constant("of {{$.pipeline_job_name}}"),
            },
        )
    }
    launcher = launch(
        tmp_path,
        job(tasks, None, {"A": container(*args)}, {"rows": {"parameterType": "NUMBER_INTEGER"}}, {"rows": 6.0}),
    )
    assert launcher.engine.commands[0].args == ("6", "--label=run-1", "of run-1")
    assert launcher.engine.commands[0].command == ("run",)


def test_an_output_parameter_reaches_the_next_step(tmp_path):
    wanted = {"taskOutputParameter": {"producerTask": "A", "outputParameterKey": "best"}}
    tasks = {"A": task("A"), "B": task("B", parameters={"best": wanted})}
    component = {"outputDefinitions": {"parameters": {"best": {"parameterType": "STRING"}}}}
    launcher = launch(
        tmp_path,
        job(tasks, {"A": component}, images("A", "B")),
        {"A": lambda given: {"parameterValues": {"best": "xgboost"}}},
    )
    assert json.loads(launcher.engine.commands[1].args[0])["inputs"]["parameterValues"] == {"best": "xgboost"}


def test_an_output_parameter_that_was_not_written_fails_its_reader(tmp_path):
    wanted = {"taskOutputParameter": {"producerTask": "A", "outputParameterKey": "best"}}
    launcher = launch(tmp_path, job({"A": task("A"), "B": task("B", parameters={"best": wanted})}))
    assert launcher.tasks["B"].error == "'A' wrote no parameter 'best'"


@pytest.mark.parametrize(
    ("values", "given", "message"),
    [
        ({}, None, "'rows': it has neither a value nor a default"),
        ({"rows": 1, "other": 2}, None, "'other': the pipeline has no such parameter"),
        ({"rows": 1}, {"other": 2}, "'other': the pipeline has no such parameter"),
        ({"rows": "1"}, None, "'rows': '1' is not of type NUMBER_INTEGER"),
        ({"rows": 1.5}, None, "'rows': 1.5 is not of type NUMBER_INTEGER"),
        ({"rows": True}, None, "'rows': True is not of type NUMBER_INTEGER"),
    ],
)
def test_wrong_runtime_parameters_are_refused_before_anything_runs(tmp_path, values, given, message):
    wrong = job({"A": task("A")}, parameters={"rows": {"parameterType": "NUMBER_INTEGER"}}, values=values)
    with pytest.raises(JobError, match=message):
        launch(tmp_path, wrong, parameters=given)


def test_given_parameters_replace_those_of_the_job_and_defaults(tmp_path):
    declared = {name: {"parameterType": "STRING", "defaultValue": "default"} for name in ("a", "b", "c")}
    tasks = {"A": task("A", parameters={name: {"componentInputParameter": name} for name in declared})}
    launcher = launch(
        tmp_path, job(tasks, parameters=declared, values={"b": "job", "c": "job"}), parameters={"c": "given"}
    )
    values = json.loads(launcher.engine.commands[0].args[0])["inputs"]["parameterValues"]
    assert values == {"a": "default", "b": "job", "c": "given"}


class Flaky:
    """Fails so many times."""

    def __init__(self, failures):
        self.failures = failures

    def __call__(self, given):
        self.failures -= 1
        return 1 if self.failures >= 0 else {}


RETRIES = {"maxRetryCount": 3, "backoffDuration": "60s", "backoffFactor": 2.0, "backoffMaxDuration": "100s"}


def test_a_failed_step_is_retried_and_waited_for(tmp_path):
    launcher = launch(tmp_path, job({"A": task("A", retryPolicy=RETRIES)}, None, images("A")), {"A": Flaky(3)})
    assert launcher.succeeded
    assert len(launcher.engine.commands) == 4
    assert launcher.waits == [60, 100, 100]
    assert "attempt 4" in launcher.said


def test_retries_end(tmp_path):
    launcher = launch(tmp_path, job({"A": task("A", retryPolicy=RETRIES)}, None, images("A")), {"A": Flaky(4)})
    assert not launcher.succeeded
    assert len(launcher.engine.commands) == 4
    assert "exit code 1 after 4 attempts" in launcher.tasks["A"].error


def test_a_step_without_retries_is_tried_once_and_its_log_shown(tmp_path):
    launcher = launch(tmp_path, job({"A": task("A")}, None, images("A")), {"A": Flaky(1)})
    assert not launcher.succeeded
    assert "line of A" in launcher.said
    assert str(tmp_path / "logs" / "run-1" / "A.log") in launcher.said


@pytest.mark.parametrize(("fail_fast", "independent"), [(True, "NOT_TRIGGERED"), (False, "SUCCEEDED")])
def test_the_failure_policy(tmp_path, fail_fast, independent):
    tasks = {"A": task("A"), "B": task("B", "A"), "C": task("C")}
    launcher = launch(tmp_path, job(tasks, None, images("A", "B", "C")), {"A": Flaky(1)}, fail_fast=fail_fast)
    assert not launcher.succeeded
    assert states(launcher) == {"A": "FAILED", "B": "NOT_TRIGGERED", "C": independent}


def with_exit_handler(**tasks):
    """The tasks as TFX puts them where there is an exit handler."""
    status = {"taskFinalStatus": {"producerTask": "tfx-dag"}}
    return job(
        {
            "tfx-dag": task("tfx-dag", parameters={"rows": {"componentInputParameter": "rows"}}),
            "Alert": task("Alert", "tfx-dag", parameters={"status": status}, triggerPolicy=COMPLETED),
        },
        {
            "tfx-dag": {
                "dag": {"tasks": tasks},
                "inputDefinitions": {"parameters": {"rows": {"parameterType": "STRING"}}},
            }
        },
        images("Alert", *tasks),
        {"rows": {"parameterType": "STRING"}, "root_only": {"parameterType": "STRING"}},
        {"rows": "7", "root_only": "x"},
    )


def final_status(launcher):
    return json.loads(json.loads(launcher.engine.commands[-1].args[0])["inputs"]["parameterValues"]["status"])


def test_the_exit_handler_runs_after_success(tmp_path):
    tasks = {"A": task("A", parameters={"rows": {"componentInputParameter": "rows"}})}
    launcher = launch(tmp_path, with_exit_handler(**tasks))
    assert launcher.succeeded
    assert ran(launcher) == ["A", "Alert"]
    assert json.loads(launcher.engine.commands[0].args[0])["inputs"]["parameterValues"] == {"rows": "7"}
    assert final_status(launcher)["state"] == "SUCCEEDED"
    assert "error" not in final_status(launcher)


def test_the_exit_handler_runs_after_a_failure_and_is_told(tmp_path):
    launcher = launch(tmp_path, with_exit_handler(A=task("A"), B=task("B", "A")), {"A": Flaky(1)})
    assert not launcher.succeeded
    assert ran(launcher) == ["A", "Alert"]
    status = final_status(launcher)
    assert status["state"] == "FAILED"
    assert "exit code 1" in status["error"]["message"]
    assert status["pipelineTaskName"] == "tfx-dag"
    assert status["pipelineJobResourceName"].endswith("/pipelineJobs/run-1")
    assert states(launcher) == {"A": "FAILED", "B": "NOT_TRIGGERED", "tfx-dag": "FAILED", "Alert": "SUCCEEDED"}


def importer_job(reimport=False):
    importer = {"artifactUri": {"constant": "/gcs/bucket/given"}, "typeSchema": MODEL, "metadata": {"family": "keras"}}
    tasks = {"Import": task("Import"), "Use": task("Use", artifacts={"model": of("Import", "result")})}
    executors = {"Import": {"importer": importer | {"reimport": reimport}}, **images("Use")}
    return job(tasks, {"Import": outputs(result=MODEL)}, executors)


def imported(launcher):
    return json.loads(launcher.engine.commands[0].args[0])["inputs"]["artifacts"]["model"]["artifacts"][0]


def test_an_importer_takes_the_artifact_that_is_known(tmp_path):
    first = imported(launch(tmp_path, importer_job(), run_id="run-1"))
    assert (first["uri"], first["metadata"]) == ("/gcs/bucket/given", {"family": "keras"})
    assert imported(launch(tmp_path, importer_job(), run_id="run-2"))["name"] == first["name"]
    assert imported(launch(tmp_path, importer_job(reimport=True), run_id="run-3"))["name"] != first["name"]


def test_a_filter_that_is_not_known_fails_the_step(tmp_path):
    query = {"model": {"filter": 'schema_title="tfx.Model" AND create_time>"2026"'}}
    launcher = launch(
        tmp_path,
        job({"A": task("A")}, {"A": outputs(model=MODEL)}, {"A": {"resolver": {"outputArtifactQueries": query}}}),
    )
    assert not launcher.succeeded
    assert "filter condition is not supported: create_time" in launcher.tasks["A"].error


def test_a_placeholder_that_is_not_known_fails_the_step(tmp_path):
    launcher = launch(tmp_path, job({"A": task("A")}, None, {"A": container("{{$.pipeline_magic}}")}))
    assert not launcher.succeeded
    assert "{{$.pipeline_magic}}" in launcher.tasks["A"].error
    assert launcher.engine.commands == []


def test_any_user_may_write_wherever_the_launcher_makes_folders(tmp_path):
    launcher = launch(tmp_path, job({"A": task("A")}, {"A": outputs(model=MODEL)}))
    made = [path for path in (tmp_path / "gcs").rglob("*") if path.is_dir()]
    assert launcher.folder / "A" / "model" in made
    assert tmp_path / "gcs" / "bucket" / "root" in made
    assert {path.stat().st_mode & 0o777 for path in made} == {0o777}


def test_a_run_does_not_go_over_another(tmp_path):
    launch(tmp_path, job({"A": task("A")}))
    with pytest.raises(JobError, match="run 'run-1'"):
        launch(tmp_path, job({"A": task("A")}))


def test_limits_and_variables_reach_the_container(tmp_path):
    more = {"resources": {"cpuLimit": 2.0, "memoryLimit": 8.0}, "env": [{"name": "A", "value": "b"}]}
    launcher = launch(tmp_path, job({"A": task("A")}, None, {"A": container(**more)}))
    [command] = launcher.engine.commands
    assert (command.cpu, command.memory_gb, command.env) == (2, 8, {"A": "b"})


def test_a_step_that_was_killed_says_how_much_memory_it_had(tmp_path):
    container_of = images("A")
    container_of["A"]["container"]["resources"] = {"memoryLimit": 8.0}
    launcher = launch(tmp_path, job({"A": task("A")}, None, container_of), {"A": lambda given: 137})
    assert "exit code 137 (killed; its limit is 8 GB of memory)" in launcher.tasks["A"].error


def test_each_step_has_a_line_with_its_time(tmp_path):
    launcher = launch(tmp_path, with_exit_handler(A=task("A"), B=task("B", "A")))
    lines = launcher.said.splitlines()
    assert [line.split()[0] for line in lines] == ["A", "B", "Alert"]
    assert all(line.endswith(" s") for line in lines)
