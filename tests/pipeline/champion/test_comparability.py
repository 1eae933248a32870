import shutil
from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.types import standard_artifacts

from pipeline.champion import training_record
from pipeline.champion.comparability import IncomparableChampionError, comparable_champion

DATES = [{"split": split, "date": date} for split, date in (("train", "2025-01-06"), ("test", "2025-02-03"))]
BY_DATE = {"test_split": {"by": "date"}, "trained_through": "2025-01-18", "dates": DATES}
BY_KEY = {
    "test_split": {"by": "key", "expression": "bucket < @test_below", "salt": "v1:", "test_percent": 20},
    "trained_through": None,
    "dates": [],
}


def raw_schema(**types):
    schema = schema_pb2.Schema()
    for name, kind in (types or {"visits": schema_pb2.FLOAT, "country": schema_pb2.BYTES}).items():
        schema.feature.add(name=name, type=kind)
    return schema


@pytest.fixture
def champion(tmp_path):
    def make(report):
        model = standard_artifacts.Model()
        model.uri = str(tmp_path / "model")
        statistics = statistics_pb2.DatasetFeatureStatisticsList()
        training_record.write(model.uri, statistics=statistics, schema=raw_schema(), summary=report)
        serving = tmp_path / "model" / "Format-Serving"
        serving.mkdir()
        (serving / "saved_model.pb").touch()
        return model

    return make


def test_without_a_champion_there_is_nothing_to_compare():
    assert comparable_champion([], BY_DATE, raw_schema(), accept=False) == (None, [])


@pytest.mark.parametrize("report", [BY_DATE, BY_KEY])
def test_a_champion_of_an_earlier_run_can_be_compared(champion, report):
    model = champion(report)
    assert comparable_champion([model], report, raw_schema(), accept=False) == (model, [])


@pytest.mark.parametrize(
    ("learnt", "report", "schema", "problem"),
    [
        (
            {**BY_DATE, "trained_through": "2025-02-03"},
            BY_DATE,
            raw_schema(),
            "it was trained through 2025-02-03, and the test rows begin on 2025-02-03",
        ),
        (BY_DATE, BY_DATE, raw_schema(visits=schema_pb2.FLOAT), "it needs the column 'country', which is gone"),
        (
            BY_DATE,
            BY_DATE,
            raw_schema(visits=schema_pb2.BYTES, country=schema_pb2.BYTES),
            "it needs the column 'visits' as FLOAT, which is BYTES now",
        ),
        (
            BY_KEY,
            {**BY_KEY, "test_split": {**BY_KEY["test_split"], "salt": "v2:"}},
            raw_schema(),
            "its test split was defined differently: by=key expression=bucket < @test_below salt=v1: test_percent=20; "
            "now it is by=key expression=bucket < @test_below salt=v2: test_percent=20",
        ),
        (BY_KEY, BY_DATE, raw_schema(), "its test split was defined differently"),
    ],
    ids=["trained beyond", "column gone", "column of another type", "another salt", "split by date now"],
)
def test_one_that_cannot_be_compared_stops_the_run_by_name_unless_that_is_accepted(
    champion, learnt, report, schema, problem
):
    model = champion(learnt)
    with pytest.raises(IncomparableChampionError) as error:
        comparable_champion([model], report, schema, accept=False)
    assert problem in str(error.value)
    assert "--accept-incompatible-champion" in str(error.value)
    found, problems = comparable_champion([model], report, schema, accept=True)
    assert found is None
    assert any(problem in text for text in problems)


@pytest.mark.parametrize(
    ("lose", "problem"),
    [
        (lambda model: shutil.rmtree(model), "its files are gone: there is no model at "),
        (lambda model: shutil.rmtree(model / "Format-Serving"), "its files are gone: there is no model at "),
        (lambda model: shutil.rmtree(model / "training_data"), "its training record is gone or damaged: "),
        (lambda model: (model / "training_data/statistics.pb").unlink(), "its training record is gone or damaged: "),
        (lambda model: (model / "training_data/report.json").write_text(""), "its training record is gone or damaged"),
        (lambda model: (model / "training_data/schema.pbtxt").write_text("{"), "its training record is gone or damag"),
        (lambda model: (model / "training_data/statistics.pb").write_bytes(b"\xff"), "its training record is gone or"),
    ],
    ids=["all", "the model", "the record", "statistics", "empty report", "damaged schema", "damaged statistics"],
)
def test_a_champion_whose_files_are_lost_is_named_and_can_be_left_out(champion, lose, problem):
    model = champion(BY_DATE)
    model.id = 17
    lose(Path(model.uri))
    with pytest.raises(IncomparableChampionError) as error:
        comparable_champion([model], BY_DATE, raw_schema(), accept=False)
    assert problem in str(error.value)
    assert f"The champion is model 17, {model.uri}. To go on" in str(error.value)
    assert "--accept-incompatible-champion" in str(error.value)
    found, problems = comparable_champion([model], BY_DATE, raw_schema(), accept=True)
    assert found is None
    assert problem in problems[0]
