import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.examples import files
from pipeline.examples.work_units import read_batches, work_units
from pipeline.fast.scoring import run_inference, stream
from pipeline.fast.scoring.identity import identify
from pipeline.fast.scoring.model import ScoringModel
from pipeline.fast.scoring.work import OnBeam
from pipeline.settings.dataset import Columns
from tests.pipeline.small_models import (
    raw_rows,
    save_altered_model,
    save_small_model,
    write_examples,
    write_parquet_examples,
)

COLUMNS = Columns(label="bought", key="user", date="day")
ROWS = [{**row, "user": 3 * number} for number, row in enumerate(raw_rows(300))]


def on_beam(folder, mode):
    options = PipelineOptions(
        runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner",
        direct_running_mode=mode,
        direct_num_workers=2,
    )
    return OnBeam(lambda: beam.Pipeline(options=options), str(folder))


def scored_on_beam(examples, model, folder, mode="in_memory"):
    units = work_units(examples, "eval", by_row_group=True)
    identity = identify(next(read_batches(units[0], rows=1)), COLUMNS, "")
    columns = ["country", "day", "user", "visits"]
    run_inference.score_on_beam(units, "champion", model, columns, identity, on_beam(folder, mode))
    return sorted(str(path) for path in folder.iterdir())


@pytest.mark.parametrize(
    ("write", "mode"), [(write_examples, "multi_processing"), (write_parquet_examples, "multi_threading")]
)
def test_the_scores_are_those_of_one_process(tmp_path, monkeypatch, write, mode):
    monkeypatch.setattr(files, "ROWS_PER_GROUP", 50)
    monkeypatch.setattr(run_inference, "_ROWS_PASSED_ON", 30)
    model = save_small_model(tmp_path / "model")
    examples = write(tmp_path / "examples", ROWS, files=2)
    shards = scored_on_beam(examples, model, tmp_path / "shards", mode)
    # Two files of 150 rows: batches of 30; or row groups of 64, 64 and 22 in batches of 50.
    assert len(shards) == 10
    there = pa.concat_tables([pq.read_table(shard) for shard in shards])

    units = work_units(examples, "eval")
    identity = identify(next(read_batches(units[0], rows=1)), COLUMNS, "")
    stream.score_to_file(units, ScoringModel("champion", model), identity, str(tmp_path / "here.parquet"))
    here = pq.read_table(tmp_path / "here.parquet")
    assert here.schema == there.schema == identity.schema
    there = there.sort_by("user")
    assert there["user"].to_pylist() == [row["user"] for row in ROWS] == here["user"].to_pylist()
    assert there["snapshot_date"] == here["snapshot_date"]
    np.testing.assert_allclose(there["probability"].to_numpy(), here["probability"].to_numpy(), rtol=1e-6)


def test_a_worker_says_which_model_cannot_be_called(tmp_path):
    model = save_small_model(tmp_path / "model")
    summed = save_altered_model(model, tmp_path / "summed", predict=tf.reduce_sum)
    examples = write_parquet_examples(tmp_path / "examples", ROWS)
    with pytest.raises(RuntimeError, match=r"model 'champion' returns \(\) for"):
        scored_on_beam(examples, summed, tmp_path / "shards")
