"""The same rows by batched and by stock executors, and in either format of examples: the same models and verdicts."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow_model_analysis as tfma
import yaml

from pipeline.fast import placement
from runners import local_runner
from tests.support import table, tf_examples, write_small_data_set

HERE = Path(local_runner.__file__).parent
STEPS = ("StatisticsGen", "Transform", "Evaluator")
RUNS = {  # settings, and the files of examples
    "batched": ({}, "data_parquet-00000-of-00001.parquet"),
    "tfrecord": ({"example_format": "tfrecord"}, "data_tfrecord-00000-of-00001.gz"),
    "stock": ({"executors": "stock"}, "data_tfrecord-00000-of-00001.gz"),
    "beam": ({"in_process_rows": 0}, "data_parquet-00000-of-00001.parquet"),
}


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """The folders of a run of each kind, and which paths its executors took."""
    folder = tmp_path_factory.mktemp("executors")
    frame = table()
    pq.write_table(pa.table({name: pa.array(frame[name].to_numpy()) for name in frame}), folder / "customers.parquet")
    write_small_data_set(folder / "schema")
    found = {}
    for kind, (changes, _) in RUNS.items():
        settings = yaml.safe_load((HERE / "local.yaml").read_text()) | changes
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(settings))
        before = placement.taken.copy()
        code = local_runner.main(
            [
                *("--dataset", "small", "--schema-root", str(folder / "schema"), "--require-push"),
                *("--data", str(folder / "customers.parquet"), "--output", str(folder / kind)),
                *("--settings", str(folder / f"{kind}.yaml")),
            ]
        )
        assert code == 0, kind
        found[kind] = folder / kind / "small" / "artifacts", placement.taken - before
    return found


def artifact(home, pattern):
    [found] = home.glob(pattern)
    return found


def test_each_run_took_its_path_and_wrote_its_format(homes):
    for kind, (home, taken) in homes.items():
        path = {"stock": None, "beam": placement.Place.BEAM}.get(kind, placement.Place.IN_PROCESS)
        assert taken == ({} if path is None else {(step, path): 1 for step in STEPS}), kind
        examples = artifact(home, "BigQueryExampleGen/examples/*")
        assert [file.name for file in examples.glob("Split-test/*")] == [RUNS[kind][1]]


@pytest.mark.parametrize("kind", ["tfrecord", "stock", "beam"])
def test_rows_are_the_same(homes, kind):
    for split in ("train", "eval", "test"):
        ours, others = (
            tf_examples(artifact(homes[name][0], f"BigQueryExampleGen/examples/*/Split-{split}"))
            for name in ("batched", kind)
        )
        assert ours == others


@pytest.mark.parametrize("kind", ["tfrecord", "stock", "beam"])
def test_transformed_rows_are_the_same(homes, kind):
    for split in ("train", "eval"):
        ours, others = (
            tf_examples(artifact(homes[name][0], f"Transform/transformed_examples/*/Split-{split}"))
            for name in ("batched", kind)
        )
        assert sorted(row.SerializeToString(deterministic=True) for row in ours) == sorted(
            row.SerializeToString(deterministic=True) for row in others
        )


@pytest.mark.parametrize("kind", ["tfrecord", "stock", "beam"])
def test_the_verdict_and_tfmas_metrics_are_the_same(homes, kind):
    verdicts, results = {}, {}
    for name in ("batched", kind):
        verdicts[name] = json.loads(artifact(homes[name][0], "Evaluator/verdict/*/verdict.json").read_text())
        results[name] = tfma.load_eval_result(str(artifact(homes[name][0], "Evaluator/evaluation/*")))
    assert verdicts[kind]["verdict"] == verdicts["batched"]["verdict"] == "blessed"
    ours, others = (verdicts[name]["metrics"]["challenger"] for name in ("batched", kind))
    assert others == pytest.approx(ours, rel=1e-6)
    ours, others = (results[name].get_metrics_for_all_slices() for name in ("batched", kind))
    assert ours.keys() == others.keys() and len(ours) == 3
    for slice_key, metrics in ours.items():
        assert {metric: value.get("doubleValue") for metric, value in others[slice_key].items()} == pytest.approx(
            {metric: value.get("doubleValue") for metric, value in metrics.items()}, rel=1e-6
        )
