import shutil

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import schema
from models.config import SettingsError
from models.features import FeatureSet
from pipeline import raw_schema
from pipeline.settings.dataset_folder import DatasetFolder

FEATURES = [
    {"name": "visits", "kind": "numeric"},
    {"name": "browser", "kind": "categorical", "vocabulary": 3},
    {"name": "age", "kind": "numeric", "missing": "refuse"},
]
REVIEWED = """\
# Nobody has more than 500.
feature {
  name: "visits"
  value_count {
    min: 1
    max: 1
  }
  type: FLOAT
  float_domain {
    max: 500.0
  }
  presence {
    min_fraction: 0.9
    min_count: 1
  }
  drift_comparator {
    jensen_shannon_divergence {
      threshold: 0.1
    }
  }
}
feature {
  name: "browser"
  type: BYTES
  domain: "browsers"
}
feature {
  name: "bought"
  type: INT
}
string_domain {
  name: "browsers"
  value: "Safari"
}
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "mine" / "schema.pbtxt"
    file.parent.mkdir()
    file.write_text(REVIEWED)
    return file


def updated(path, features):
    return raw_schema.updated_text(path, FeatureSet(features=features), "bought")


def names_of(text):
    return [entry.name for entry in text_format.Parse(text, schema_pb2.Schema()).feature]


def test_what_was_reviewed_stays(path):
    text = updated(path, FEATURES[:2])
    assert text == REVIEWED
    added = updated(path, FEATURES)
    assert names_of(added) == ["visits", "browser", "age", "bought"]
    for kept in REVIEWED.split("feature {"):
        assert kept.strip() in added
    removed = updated(path, FEATURES[1:])
    assert names_of(removed) == ["browser", "age", "bought"]
    assert "Nobody has more than 500" not in removed


def test_a_feature_of_another_kind_is_written_anew(path):
    text = updated(path, [{"name": "visits", "kind": "categorical"}, *FEATURES[1:2]])
    [visits] = [entry for entry in text_format.Parse(text, schema_pb2.Schema()).feature if entry.name == "visits"]
    assert visits.type == schema_pb2.BYTES and not visits.HasField("drift_comparator")
    assert 'domain: "browsers"' in text


def test_a_file_in_another_layout_keeps_its_content(path):
    path.write_text(" ".join(line for line in REVIEWED.splitlines() if not line.startswith("#")))
    text = updated(path, FEATURES[:2])
    assert text_format.Parse(text, schema_pb2.Schema()) == text_format.Parse(REVIEWED, schema_pb2.Schema())


def test_without_a_file_the_schema_is_that_of_the_features(tmp_path):
    features = FeatureSet(features=FEATURES)
    text = raw_schema.updated_text(tmp_path / "schema.pbtxt", features, "bought")
    assert text_format.Parse(text, schema_pb2.Schema()) == raw_schema.raw_schema(features, "bought")


def test_a_feature_costs_two_lines_and_this_command(tmp_path, capsys):
    folder = shutil.copytree(schema.ROOT / "ga4", tmp_path / "ga4")
    with (folder / "features.yaml").open("a") as file:
        file.write("  - {name: searches_1_7, kind: numeric, missing: zero}\n")
    with pytest.raises(
        SettingsError, match=r"'searches_1_7' of features\.yaml is missing here; run `make schema DATASET=ga4`"
    ):
        raw_schema.check_schema(folder / "schema.pbtxt", DatasetFolder.load(folder).features, "converted")
    before = (folder / "schema.pbtxt").read_text()
    assert raw_schema.main(["ga4", "--schema-root", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert '+  name: "searches_1_7"' in shown and "Review the change" in shown
    assert [line for line in shown.splitlines() if line.startswith("-") and not line.startswith("---")] == []
    raw_schema.check_schema(folder / "schema.pbtxt", DatasetFolder.load(folder).features, "converted")
    assert raw_schema.main(["ga4", "--schema-root", str(tmp_path)]) == 0
    assert "is up to date" in capsys.readouterr().out
    document = yaml.safe_load((folder / "features.yaml").read_text())
    document["features"].pop()
    (folder / "features.yaml").write_text(yaml.safe_dump(document))
    assert raw_schema.main(["ga4", "--schema-root", str(tmp_path)]) == 0
    assert (folder / "schema.pbtxt").read_text() == before


def test_what_cannot_be_used_is_said_in_one_line(tmp_path, capsys):
    assert raw_schema.main(["absent", "--schema-root", str(tmp_path)]) == 2
    assert "no data set 'absent'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ga4", "ga360", "online_shoppers"])
def test_the_curated_schemas_fit_their_features(name):
    folder = DatasetFolder.load(schema.ROOT / name)
    label = folder.dataset.columns.label
    assert folder.schema_path is not None
    raw_schema.check_schema(folder.schema_path, folder.features, label)
    assert raw_schema.updated_text(folder.schema_path, folder.features, label) == folder.schema_path.read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name: "recency_days"', 'name: "recency_weeks"', "'recency_days' of features.yaml is missing here"),
        ("type: INT", "type: FLOAT", "feature 'converted' has type FLOAT, must be INT"),
        ("feature {", "feature }", "not a schema in text format"),
    ],
)
def test_a_curated_schema_that_does_not_fit_is_refused(tmp_path, old, new, message):
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    text = folder.schema_path.read_text()
    assert old in text
    path = tmp_path / "schema.pbtxt"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SettingsError, match=message):
        raw_schema.check_schema(path, folder.features, "converted")
