"""Examples of a small data set, written as ExampleGen does, and executors of TFX to run on them."""

import datetime

import numpy as np
import pyarrow as pa
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts

from pipeline.examples import encoding, writers
from pipeline.examples.data_summary import write_data_summary
from tests.support import NUMBERS_AND_CATEGORIES, folder_of

ROWS = {"train": 1500, "eval": 700}
FOLDER = folder_of(NUMBERS_AND_CATEGORIES)
FEATURES = [*FOLDER.features.names, "y"]
_LOCAL = (
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--sdk_container_image=unused",  # without any, each executor packs all of TFX for workers that do not exist
)
IN_MEMORY = (*_LOCAL, "--direct_running_mode=in_memory")
TWO_WORKERS = (*_LOCAL, "--direct_running_mode=multi_processing", "--direct_num_workers=2")


def table_batch(split):
    """Rows as the features table has them: numbers and categories with missing values, more cities than TFDV shows."""
    rows = ROWS[split]
    rng = np.random.default_rng(rows)
    return pa.RecordBatch.from_pydict(
        {
            "unit": pa.array([f"{row:032x}" for row in range(rows)]),
            "day": pa.array([datetime.date(2025, 1, 6)] * rows),
            "y": pa.array(rng.integers(0, 2, rows)),
            "count": pa.array(rng.poisson(3, rows), mask=rng.random(rows) < 0.2),
            "ratio": pa.array(np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows))),
            "country": pa.array(rng.choice(["DE", "FR", "Österreich"], rows), mask=rng.random(rows) < 0.1),
            "city": pa.array([f"c{n}" for n in rng.zipf(1.4, rows)], mask=rng.random(rows) < 0.3),
        }
    )


def write_examples(uri, example_format, rows_at_once=400):
    """An Examples artifact with the splits of ROWS, and the report beside them."""
    examples = standard_artifacts.Examples()
    examples.uri, examples.span = str(uri), 3
    payload_format, _ = writers.FORMATS[example_format]
    schema = encoding.example_schema(table_batch("eval").schema.names, FOLDER)
    with writers.open_splits(examples, tuple(ROWS), schema, payload_format) as opened:
        for split, write in opened.items():
            batch = table_batch(split)
            for start in range(0, batch.num_rows, rows_at_once):
                write(encoding.to_feature_lists(batch.slice(start, rows_at_once), FOLDER))
    counts = [{"split": split, "rows": rows} for split, rows in ROWS.items()]
    write_data_summary(examples, {"splits": counts, "warnings": []})
    return examples


def artifact(kind, uri, *splits):
    """An artifact of a standard type."""
    made = kind()
    made.uri = str(uri)
    if splits:
        made.split_names = artifact_utils.encode_split_names(list(splits))
    return made


def executor_of(executor_class, folder, beam_args):
    """An executor as a runner makes it."""
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=list(beam_args), tmp_dir=str(folder), unique_id="1"
    )
    return executor_class(context)
