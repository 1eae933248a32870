import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from pipeline.fast.scoring.customers import score_customers
from pipeline.fast.scoring.identity import UnscorableError
from pipeline.fast.scoring.model import ScoringError
from pipeline.settings.dataset import Columns
from tests.pipeline.fast.scoring.test_run_inference import on_beam
from tests.pipeline.small_models import (
    raw_rows,
    save_altered_model,
    save_small_model,
    write_examples,
    write_parquet_examples,
)

each_format = pytest.mark.parametrize("write", [write_examples, write_parquet_examples])
COLUMNS = Columns(label="bought", key="user", date="day")
ROWS = [{**row, "user": f"user-{number}"} for number, row in enumerate(raw_rows(60))]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("model") / "saved")


def score(examples, model, folder, beam=None, columns=COLUMNS):
    folder.mkdir(exist_ok=True)
    return score_customers(
        examples, "eval", model, str(folder), columns=columns, snapshot_date="2026-01-05", on_beam=beam
    )


@each_format
def test_both_places_give_the_same_and_beam_leaves_nothing_behind(tmp_path, model, write):
    examples = write(tmp_path / "examples", ROWS, files=2)
    here = score(examples, model, tmp_path / "here")
    there = score(examples, model, tmp_path / "there", on_beam(tmp_path / "shards", "in_memory"))
    assert here.rows == there.rows == 60 and here.identity == there.identity
    assert len(here.files) == 1 and len(there.files) == 2
    assert not (tmp_path / "shards").exists()
    tables = [
        pa.concat_tables([pq.read_table(file) for file in scored.files]).sort_by("user") for scored in (here, there)
    ]
    assert tables[0]["user"].to_pylist() == tables[1]["user"].to_pylist() == sorted(row["user"] for row in ROWS)
    np.testing.assert_allclose(tables[0]["probability"].to_numpy(), tables[1]["probability"].to_numpy(), rtol=1e-6)


def test_rows_without_a_probability_stop_a_run_on_beam_too(tmp_path, model):
    nan = save_altered_model(model, tmp_path / "nan", predict=lambda values: tf.where(values > 0.4, np.nan, values))
    examples = write_parquet_examples(tmp_path / "examples", ROWS)
    message = r"'champion' returns no probability between 0 and 1 for \d+ of 60 rows"
    with pytest.raises(ScoringError, match=message) as here:
        score(examples, nan, tmp_path / "here")
    with pytest.raises(ScoringError, match=message) as there:
        score(examples, nan, tmp_path / "there", on_beam(tmp_path / "shards", "in_memory"))
    assert str(here.value) == str(there.value)
    assert not (tmp_path / "shards").exists()


@each_format
def test_a_feature_that_the_examples_lack_is_named(tmp_path, model, write):
    rows = [{name: value for name, value in row.items() if name != "visits"} for row in ROWS]
    with pytest.raises(UnscorableError, match="the champion needs visits, which the examples lack"):
        score(write(tmp_path / "examples", rows), model, tmp_path / "here")


def test_no_row_is_an_error(tmp_path, model):
    with pytest.raises(UnscorableError, match="there is no row to score"):
        score(write_examples(tmp_path / "tf", []), model, tmp_path / "here")
    examples = write_parquet_examples(tmp_path / "parquet", ROWS)
    [file] = (tmp_path / "parquet" / "Split-eval").iterdir()
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    with pytest.raises(UnscorableError, match="there is no row to score"):
        score(examples, model, tmp_path / "here")
    with pytest.raises(UnscorableError, match="there is no row to score"):
        score(examples, model, tmp_path / "here", on_beam(tmp_path / "shards", "in_memory"))
