import datetime
import shutil

import pytest

import schema
from models.config import SettingsError
from pipeline.settings.dataset import leave_out_advice
from pipeline.settings.dataset_folder import DatasetFolder


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(schema.ROOT / "ga4", tmp_path / "mine")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_survives_the_way_through_a_component():
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    again = DatasetFolder.from_config(folder.to_config())
    assert (again.name, again.dataset, again.features, again.query) == (
        folder.name,
        folder.dataset,
        folder.features,
        folder.query,
    )


def test_an_unknown_data_set_is_answered_with_the_known_ones():
    with pytest.raises(SettingsError, match=r"no data set 'ga5'.*ga360, ga4, online_shoppers"):
        DatasetFolder.load(schema.ROOT / "ga5")


def test_a_window_beyond_the_lookback_is_refused(copy):
    edit(copy / "dataset.yaml", "lookback_days: 30", "lookback_days: 14")
    with pytest.raises(SettingsError, match=r"looks back 30 days, but windows.lookback_days of dataset.yaml is 14"):
        DatasetFolder.load(copy)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("converted", "is the label"),
        ("Converted", r"is the label of dataset.yaml \(case does not count\)"),
        ("USER_PSEUDO_ID", "is the key"),
        ("Tenure_Days", "'tenure_days' and 'Tenure_Days' differ only in case"),
        ("split", "reserved"),
        ("Split", "reserved"),
        ("UNIT", "reserved"),
    ],
)
def test_a_feature_must_not_be_the_label_or_a_reserved_column(copy, name, reason):
    with (copy / "features.yaml").open("a") as file:
        file.write(f"\n  - name: {name}\n    kind: numeric\n")
    with pytest.raises(SettingsError, match=reason):
        DatasetFolder.load(copy)


def test_a_missing_query_is_named(copy):
    (copy / "query.sql").unlink()
    with pytest.raises(SettingsError, match=r"query\.sql: no such file"):
        DatasetFolder.load(copy)


def test_the_query_may_begin_with_a_byte_order_mark(copy):
    text = (copy / "query.sql").read_text()
    (copy / "query.sql").write_text(text, encoding="utf-8-sig")
    assert DatasetFolder.load(copy).query == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_query_in_another_encoding_is_refused(copy, encoding):
    (copy / "query.sql").write_text("SELECT 'ä' AS x FROM t", encoding=encoding)
    with pytest.raises(SettingsError, match=r"query\.sql: the file is not UTF-8; save it as UTF-8"):
        DatasetFolder.load(copy)


def test_a_query_in_latin_1_is_refused(copy):
    (copy / "query.sql").write_text("SELECT 'ä' AS x FROM t", encoding="latin-1")
    with pytest.raises(SettingsError, match=r"query\.sql: the file is not UTF-8"):
        DatasetFolder.load(copy)


def test_the_day_up_to_which_events_are_read_can_be_another():
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    day = datetime.date(2025, 11, 3)
    assert folder.dataset.snapshots.as_of == "latest"
    assert folder.up_to(day).dataset.snapshots.as_of == day
    assert folder.up_to(day).up_to("latest") == folder


def test_pipeline_names_are_those_that_vertex_takes():
    assert DatasetFolder.load(schema.ROOT / "online_shoppers").pipeline_name == "propensity-online-shoppers"


def test_features_can_be_left_out(copy):
    every = DatasetFolder.load(copy)
    out = ("device_category", "sessions_1_7")
    folder = DatasetFolder.load(copy, {"features.leave_out": list(out)})
    assert set(every.features.names) - set(folder.features.names) == set(out)
    assert folder.declared == every.features == every.declared
    again = DatasetFolder.from_config(folder.to_config())
    assert again.features == folder.features and again.dataset.features.leave_out == out
    assert leave_out_advice(out).endswith("features: {leave_out: [device_category, sessions_1_7]}")


def test_what_is_left_out_must_be_declared(copy):
    edit(copy / "dataset.yaml", "windows:", "features: {leave_out: [sesions_1_7]}\nwindows:")
    with pytest.raises(SettingsError, match=r"leave_out names 'sesions_1_7', .* did you mean 'sessions_1_7'"):
        DatasetFolder.load(copy)
    with pytest.raises(SettingsError, match="leaves no feature"):
        DatasetFolder.load(
            schema.ROOT / "ga4", {"features.leave_out": DatasetFolder.load(schema.ROOT / "ga4").features.names}
        )
