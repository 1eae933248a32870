"""BigQueryExampleGen's executor on DuckDB: what a run's own parameters do. Its rows are tested below warehouse/."""

import json

import pyarrow as pa
import pytest
from tfx.types import standard_artifacts

from models.config import SettingsError
from models.features import FeatureSet
from pipeline.components import example_gen
from pipeline.examples.data_summary import read_data_summary
from pipeline.examples.files import record_batches
from pipeline.examples.splits import count_rows, split_files
from pipeline.settings.dataset import Dataset
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.interface import WarehouseError
from tests.support import table

PROPERTIES = ("as_of", "sample_percent", "data_fingerprint")


@pytest.fixture(scope="module")
def folder():
    dataset = Dataset(
        source={"kind": "table", "table": "customers"},
        columns={"label": "bought", "key": "customer"},
        split={"test_percent": 20},
    )
    features = FeatureSet(features=[{"name": "visits", "kind": "numeric"}])
    query = "SELECT customer, visits, bought FROM `customers` AS c"
    return DatasetFolder(name="small", dataset=dataset, features=features, query=query)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "customers.csv"
    table(2000).to_csv(path, index=False)
    return path


def rows_by_split(folder, data, output, **parameters):
    """Rows by split, by the report beside them."""
    examples = make_examples(folder, data, output, **parameters)
    return {count["split"]: count["rows"] for count in read_data_summary(examples)["splits"]}


def make_examples(folder, data, output, example_format="parquet", **parameters):
    """Runs the executor as the runner would."""
    run = RunSettings.model_validate({"warehouse": {"engine": "duckdb"}, "data": data})
    component = example_gen.BigQueryExampleGen(
        folder=folder,
        run=run,
        example_format=example_format,
        **{name: value for name, value in {**RunParameters().values(), **parameters}.items() if name in PROPERTIES},
    )
    examples = standard_artifacts.Examples()
    examples.uri = str(output)
    example_gen.Executor().Do({}, {"examples": [examples]}, component.exec_properties)
    assert json.loads(examples.split_names) == ["train", "eval", "test"]
    return examples


@pytest.mark.parametrize("split", ["train", "eval", "test"])
def test_both_formats_hold_the_rows_that_the_report_counts(folder, data, tmp_path, split):
    parquet, records = (
        make_examples(folder, data, tmp_path / name, example_format=name) for name in ("parquet", "tfrecord")
    )
    rows = {count["split"]: count["rows"] for count in read_data_summary(parquet)["splits"]}[split]
    found, expected = (
        pa.Table.from_batches(record_batches(split_files(examples, split), ["unit", "visits", "bought"]))
        for examples in (parquet, records)
    )
    assert found.num_rows == rows == count_rows(parquet, [split])
    assert rows == count_rows(records, [split]) > 0
    assert found.to_pydict() == expected.to_pydict()


def test_nothing_is_left_of_rows_that_cannot_be_read_to_the_end(folder, data, tmp_path, monkeypatch):
    def read(self, name, columns):
        yield next(DuckDBWarehouse.read_all(self, name, columns))
        raise WarehouseError("the connection is lost")

    monkeypatch.setattr(DuckDBWarehouse, "read_all", DuckDBWarehouse.read, raising=False)
    monkeypatch.setattr(DuckDBWarehouse, "read", read)
    with pytest.raises(WarehouseError, match="lost"):
        make_examples(folder, data, tmp_path / "lost")
    assert not [path for path in (tmp_path / "lost").rglob("*") if path.is_file()]


def test_a_sample_reads_a_share_of_every_split(folder, data, tmp_path):
    whole = rows_by_split(folder, data, tmp_path / "whole")
    sample = rows_by_split(folder, data, tmp_path / "sample", sample_percent=25)
    assert sum(whole.values()) == 2000
    for split, rows in whole.items():
        assert 0.15 < sample[split] / rows < 0.35


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"as_of": "2025-11-03"}, "is a table; only 'latest' is allowed"),
        ({"as_of": "yesterday"}, "runtime parameters: key 'as_of': must be 'latest' or a date"),
        ({"sample_percent": 0}, "runtime parameters: key 'sample_percent'"),
    ],
)
def test_parameters_that_cannot_be_are_refused_and_nothing_is_written(folder, data, tmp_path, parameters, message):
    with pytest.raises(SettingsError, match=message):
        rows_by_split(folder, data, tmp_path / "refused", **parameters)
    assert not (tmp_path / "refused").exists()
