"""Whatever differs between the two runs must be found: each mutation makes exactly its own comparison fail."""

import shutil

import pytest

from tests.tools.local_vertex import runs
from tools.local_vertex.compare import MODEL_TOLERANCE, compare, local_run, main, vertex_run


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    runs.write_runs(folder)
    return folder


@pytest.fixture
def pair(written, tmp_path):
    shutil.copytree(written, tmp_path / "runs")
    return tmp_path / "runs" / "local", tmp_path / "runs" / "vertex"


def failed(pair):
    local, vertex = pair
    return {found.what: found.line() for found in compare(local_run(local), vertex_run(vertex)) if not found.passed}


def test_two_runs_that_left_the_same_are_equal(pair, capsys, tmp_path):
    assert main([str(pair[0]), str(pair[1]), "--report", str(tmp_path / "report")]) == 0
    shown = capsys.readouterr().out
    assert "18 of 18 are equal" in shown
    for line in (
        "examples, train                           6 rows ",
        "vocabulary, country                       3 entries",
    ):
        assert line in shown
    assert (tmp_path / "report").read_text() in shown


def test_neither_the_order_of_rows_nor_of_their_features_counts(pair):
    runs.write_split(pair[1] / "BigQueryExampleGen/examples/Split-train", reversed(runs.rows("train")))
    turned = [runs.example(country="DE", visits=float(i)) for i in range(3)]
    runs.write_split(pair[1] / "BigQueryExampleGen/examples/Split-eval", turned)
    assert failed(pair) == {}


def last_digits(vertex):
    runs.write_statistics(vertex / "StatisticsGen/statistics", mean=2.5000000000000004)


def within_tolerance(vertex):
    runs.change(vertex / "Evaluator/verdict/verdict.json", lambda found: shift(found, 0.9 * MODEL_TOLERANCE))


def shift(found, by):
    found["metrics"]["challenger"]["roc_auc"] += by


@pytest.mark.parametrize("mutate", [last_digits, within_tolerance])
def test_what_may_differ_may(pair, mutate):
    mutate(pair[1])
    assert failed(pair) == {}


def drop_example(vertex):
    runs.write_split(vertex / "BigQueryExampleGen/examples/Split-test", runs.rows("test")[1:])


def repeat_example(vertex):
    runs.write_split(vertex / "BigQueryExampleGen/examples/Split-test", [*runs.rows("test")[1:], runs.rows("test")[1]])


def change_value(vertex):
    changed = [*runs.rows("test")[1:], runs.example(visits=0.5, country="DE")]
    runs.write_split(vertex / "BigQueryExampleGen/examples/Split-test", changed)


def drop_split(vertex):
    shutil.rmtree(vertex / "BigQueryExampleGen/examples/Split-test")


def change_transformed(vertex):
    runs.write_split(vertex / "Transform/transformed_examples/Split-eval", runs.rows("eval")[:2])


def remove_feature(vertex):
    runs.write_schema(vertex / "CuratedSchema/schema", features=["visits"])


def change_mean(vertex):
    runs.write_statistics(vertex / "StatisticsGen/statistics", mean=2.500001)


def remove_word(vertex):
    (vertex / "Transform/transform_graph/transform_fn/assets/country").write_text("DE\nFR\n")


def swap_words(vertex):
    (vertex / "Transform/transform_graph/transform_fn/assets/country").write_text("FR\nDE\nUS\n")


def change_quantile(vertex):
    runs.write_graph(vertex / "Transform/transform_graph", quantiles=(1.0, 2.5))


def choose_other(vertex):
    runs.change(vertex / "SelectModel/model/selection.json", lambda found: found.update(chosen="xgboost"))


def change_eval_metric(vertex):
    path = vertex / "SelectModel/model/selection.json"
    runs.change(path, lambda found: found["candidates"][1]["metrics"].update(log_loss=0.25 + 2 * MODEL_TOLERANCE))


def change_test_metric(vertex):
    runs.change(vertex / "Evaluator/verdict/verdict.json", lambda found: shift(found, 2 * MODEL_TOLERANCE))


def lose_test_metric(vertex):
    path = vertex / "Evaluator/verdict/verdict.json"
    runs.change(path, lambda found: found["metrics"]["challenger"].update(roc_auc=None))


def change_verdict(vertex):
    runs.change(vertex / "Evaluator/verdict/verdict.json", lambda found: found.update(verdict="refused"))


def change_outcome(vertex):
    path = vertex / "Evaluator/verdict/verdict.json"
    runs.change(path, lambda found: found["checks"][1].update(outcome="fail"))


def change_rows(vertex):
    runs.change(vertex / "Evaluator/verdict/verdict.json", lambda found: found["data"].update(rows=5))


def withdraw_blessing(vertex):
    (vertex / "Evaluator/blessing/BLESSED").rename(vertex / "Evaluator/blessing/NOT_BLESSED")


def push_nothing(vertex):
    (vertex / "Pusher/pushed_model/saved_model.pb").unlink()


@pytest.mark.parametrize(
    ("mutate", "what", "told"),
    [
        (drop_example, "examples, test", "1 rows only locally"),
        (repeat_example, "examples, test", "1 rows only locally; 1 rows only on Vertex"),
        (change_value, "examples, test", "1 rows only locally; 1 rows only on Vertex"),
        (drop_split, "examples, test", "4 rows only locally"),
        (change_transformed, "transformed examples, eval", "1 rows only locally"),
        (remove_feature, "schema", "country is missing on Vertex"),
        (remove_word, "vocabulary, country", "US is missing on Vertex"),
        (swap_words, "vocabulary, country", "DE is 0 locally, 1 on Vertex"),
        (change_quantile, "constants of the transform", "1 arrays only locally; 1 arrays only on Vertex"),
        (choose_other, "family that was selected", "chosen is keras locally, xgboost on Vertex"),
        (change_eval_metric, "metrics of the families, eval", "xgboost.log_loss is 0.25 locally"),
        (change_test_metric, "metrics of the model, test", "roc_auc is 0.75 locally"),
        (lose_test_metric, "metrics of the model, test", "roc_auc is 0.75 locally, None on Vertex"),
        (change_verdict, "verdict", "verdict is blessed locally, refused on Vertex"),
        (change_outcome, "verdict", "log_loss country=DE log_loss is shown locally, fail on Vertex"),
        (change_rows, "verdict", "rows is 4 locally, 5 on Vertex"),
        (withdraw_blessing, "blessing", "BLESSED is missing on Vertex; NOT_BLESSED is missing locally"),
        (push_nothing, "pushed model", "saved_model.pb is missing on Vertex"),
    ],
)
def test_a_difference_is_found_and_named(pair, mutate, what, told):
    mutate(pair[1])
    [(found, line)] = failed(pair).items()
    assert found == what
    assert told in line


def test_statistics_that_differ_are_found_in_each_split(pair):
    change_mean(pair[1])
    assert set(failed(pair)) == {"statistics, train", "statistics, eval", "statistics, test"}


@pytest.mark.parametrize(
    "artifact",
    [
        "BigQueryExampleGen/examples",
        "StatisticsGen/statistics",
        "CuratedSchema/schema",
        "Transform/transform_graph",
        "Transform/transformed_examples",
        "SelectModel/model",
        "Evaluator/verdict",
        "Evaluator/blessing",
        "Pusher/pushed_model",
    ],
)
def test_what_neither_run_has_is_no_evidence(pair, artifact):
    shutil.rmtree(pair[0] / "artifacts" / artifact)
    shutil.rmtree(pair[1] / artifact)
    assert failed(pair)
    assert all("NO EVIDENCE" in line for line in failed(pair).values())


def test_empty_files_are_no_evidence(pair):
    for folder in (pair[0] / "artifacts/BigQueryExampleGen/examples/10", pair[1] / "BigQueryExampleGen/examples"):
        runs.write_split(folder / "Split-test", [])
    assert "NO EVIDENCE" in failed(pair)["examples, test"]


def test_two_empty_folders_are_not_equal(tmp_path, capsys):
    assert main([str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "0 of" in capsys.readouterr().out
