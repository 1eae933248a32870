import pytest

import schema
from models.config import SettingsError
from pipeline import raw_schema
from pipeline.settings.dataset_folder import DatasetFolder


@pytest.mark.parametrize("name", ["ga4", "ga360", "online_shoppers"])
def test_the_curated_schemas_fit_their_features(name):
    folder = DatasetFolder.load(schema.ROOT / name)
    assert folder.schema_path is not None
    raw_schema.check_schema(folder.schema_path, folder.features, folder.dataset.columns.label)


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
