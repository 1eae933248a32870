"""The proof, with a job of five tasks whose steps are Python functions; `make vertex-local` does the real one."""

import json
from pathlib import Path

import pytest

from runners.vertex.settings import load_vertex_settings
from tests.tools.local_vertex import jobs
from tools import vertex_local

LINES = "  BigQueryExampleGen      12.5 s  9 rows\n  SelectModel              3.5 s\n"


def five_tasks():
    whole = jobs.training_job()
    spec = whole["pipelineSpec"]
    spec["root"]["dag"]["tasks"]["Pusher"] = jobs.task("Pusher", "Evaluator")
    spec["components"]["Pusher"] = {"executorLabel": "Pusher", **jobs.outputs(pushed_model=jobs.MODEL)}
    spec["deploymentSpec"]["executors"] |= jobs.images("Pusher")
    return whole | {"runtimeConfig": {"gcsOutputDirectory": "gs://propensity-local/root"}}


def scoring():
    """The two resolvers, and a Scorer."""
    whole = jobs.training_job()
    spec = whole["pipelineSpec"]
    tasks = spec["root"]["dag"]["tasks"]
    for name in ("SelectModel", "Evaluator"):
        del tasks[name]
    run_id = jobs.constant("{{$.pipeline_job_name}}")
    tasks["Scorer"] = jobs.task("Scorer", "Champion-model-resolver", parameters={"run_id": run_id})
    spec["components"]["Scorer"] = {
        "executorLabel": "Scorer",
        "inputDefinitions": {"parameters": {"run_id": {"parameterType": "STRING"}}},
    }
    spec["deploymentSpec"]["executors"] |= jobs.images("Scorer")
    return whole | {"runtimeConfig": {"gcsOutputDirectory": "gs://propensity-local/root"}}


class Machine(jobs.FakeEngine):
    """Does what the image would do; `fails` is a module or a step that does not succeed.

    `scored_by` is the run that the scores name; None: the scoring run.
    """

    def __init__(self, storage, verdicts=("blessed", "unchanged"), pushes=(True, False), fails="", scored_by=None):
        steps = {"Evaluator": self.judge, "Pusher": self.push, "Scorer": self.score, fails: lambda given: 1}
        super().__init__(storage, steps)
        self.scored_by = scored_by
        self.verdicts, self.pushes, self.fails = list(verdicts), list(pushes), fails
        self.modules = []

    def run(self, command, log):
        if command.image != vertex_local.IMAGE:
            return super().run(command, log)
        module = command.command[2]
        self.modules.append(module)
        log.write_text(LINES)
        if module == "runners.vertex_runner":
            folder = self.storage / "this-machine" / "ga4" / "vertex"
            folder.mkdir(parents=True, exist_ok=True)
            of_scoring = "scoring" in command.args
            file = folder / ("scoring.json" if of_scoring else "pipeline.json")
            file.write_text(json.dumps(scoring() if of_scoring else five_tasks()))
        if module == "tools.local_vertex.compare":
            assert command.readable == {f"{command.env['PYTHONPATH']}/tools": vertex_local.ROOT / "tools"}
            what = "all scores" if "--scores" in command.args else "everything"
            Path(self.storage / "this-machine" / "comparison.txt").write_text(f"  {what} equal")
        return int(module == self.fails)

    def judge(self, given):
        verdict = self.verdicts.pop(0)
        folder = self.storage / given["outputs"]["outputFile"].removeprefix("/gcs/")
        (folder.parent / "verdict").mkdir()
        (folder.parent / "verdict" / "verdict.json").write_text(json.dumps({"verdict": verdict}))
        return jobs.judge(verdict == "blessed")(given)

    def score(self, given):
        folder = self.storage / given["outputs"]["outputFile"].removeprefix("/gcs/")
        (folder.parent / "scores").mkdir()
        run_id = self.scored_by or given["inputs"]["parameterValues"]["run_id"]
        summary = {"run_id": run_id, "dates": [{"date": "2026-01-05", "rows": 7}]}
        (folder.parent / "scores" / "scores.json").write_text(json.dumps(summary))
        return {}

    def push(self, given):
        pushed = self.pushes.pop(0)
        serving = self.storage / "propensity-local" / "propensity" / "serving" / "ga4"
        if pushed:
            (serving / str(len(self.pushes))).mkdir(parents=True)
        return {"artifacts": {"pushed_model": {"artifacts": [{"metadata": {"pushed": float(pushed)}}]}}}


def prove(tmp_path, **options):
    machine = Machine(tmp_path / "gcs", **options)
    vertex_local.prove(vertex_local.Proof(machine, tmp_path))
    return machine


def test_the_parts_of_the_proof(tmp_path, capsys):
    machine = prove(tmp_path)
    assert machine.modules == [
        "pipeline.sample",
        "runners.vertex_runner",
        "runners.local_runner",
        "tools.local_vertex.compare",
        "runners.vertex_runner",
        "runners.score",
        "tools.local_vertex.compare",
    ]
    shown = capsys.readouterr().out
    for text in (
        "everything equal",
        "the champion is the first run's model",
        "verdict: unchanged",
        "nothing was pushed",
        "the scores name the run pipe-scoring-1",
        "2026-01-05: 7 rows",
        "all scores equal",
    ):
        assert text in shown
    [line] = [line for line in shown.splitlines() if line.startswith("  SelectModel") and line.endswith(" 3.5")]
    assert len(line.split()) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"verdicts": ("refused", "refused")}, "is not the champion of the run pipe-2"),
        ({"verdicts": ("blessed", "blessed")}, "verdict of the second run is 'blessed'"),
        ({"pushes": (True, True)}, "the second run pushed"),
        ({"fails": "Pusher"}, "run pipe-1 failed in Pusher"),
        ({"fails": "Scorer"}, "run pipe-scoring-1 failed in Scorer"),
        ({"fails": "runners.score"}, "runners.score failed with exit code 1"),
        (
            {"scored_by": "{{$.pipeline_job_name}}"},
            r"the scores name the run '\{\{\$.pipeline_job_name\}\}', not 'pipe-scoring-1'",
        ),
        ({"fails": "tools.local_vertex.compare"}, "tools.local_vertex.compare failed with exit code 1"),
        ({"fails": "runners.local_runner"}, "runners.local_runner failed with exit code 1"),
        ({"fails": "runners.vertex_runner"}, "runners.vertex_runner failed with exit code 1"),
        ({"fails": "pipeline.sample"}, "sample failed with exit code 1"),
    ],
)
def test_whatever_fails_or_differs_ends_it(tmp_path, options, message):
    with pytest.raises(vertex_local.ProofError, match=message):
        prove(tmp_path, **options)


def test_the_comparison_is_shown_also_where_it_fails(tmp_path, capsys):
    with pytest.raises(vertex_local.ProofError):
        prove(tmp_path, fails="tools.local_vertex.compare")
    assert "everything equal" in capsys.readouterr().out


def succeed(proof):
    pass


def fail(proof):
    raise vertex_local.ProofError("it differs")


@pytest.mark.parametrize(
    ("part", "options", "code", "left"), [(succeed, [], 0, 0), (succeed, ["--keep"], 0, 1), (fail, [], 1, 1)]
)
def test_it_cleans_up_and_keeps_what_explains_a_failure(tmp_path, monkeypatch, capsys, part, options, code, left):
    monkeypatch.setattr(vertex_local, "prove", part)
    assert vertex_local.main(["--engine", "process", "--output", str(tmp_path), *options]) == code
    found = list(tmp_path.iterdir())
    assert len(found) == left
    shown = capsys.readouterr().out
    assert ("FAILED: it differs" in shown) == bool(code)
    assert all(str(folder) in shown for folder in found)


def test_the_settings_and_the_command_agree():
    settings = load_vertex_settings(vertex_local.SETTINGS)
    assert settings.image == vertex_local.IMAGE
    assert settings.pipeline_root.startswith(f"gs://{vertex_local.BUCKET}/")
    assert settings.data == Path(f"/gcs/{vertex_local.BUCKET}/sample")
    assert settings.serving_of("ga4") == f"gs://{vertex_local.BUCKET}/propensity/serving/ga4"
    assert settings.dataflow is None
    assert settings.alert_topic
