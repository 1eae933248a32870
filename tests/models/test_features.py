import pytest

import schema
from models.config import SettingsError
from models.features import FeatureSet, Kind, Missing, load_features


def features(*items):
    return FeatureSet.from_config(list(items))


def test_defaults_and_views():
    given = features(
        {"name": "visits", "kind": "numeric", "missing": "zero", "window": [1, 7]},
        {"name": "country", "kind": "categorical", "vocabulary": 50, "slice": True},
    )
    assert [f.name for f in given.numeric] == ["visits"]
    assert [f.name for f in given.categorical] == ["country"] == [f.name for f in given.slices]
    assert given.features[0].missing is Missing.ZERO
    assert given.features[1].kind is Kind.CATEGORICAL


def test_survives_the_way_through_a_component():
    given = load_features(schema.ROOT / "ga4" / "features.yaml")
    assert FeatureSet.from_config(given.to_config()) == given


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"name": "a", "kind": "number"}, "kind"),
        ({"name": "a b", "kind": "numeric"}, "name"),
        ({"name": "a", "kind": "numeric", "slice": True}, "only a category can be a slice"),
        ({"name": "a", "kind": "numeric", "vocabulary": 5}, "takes no vocabulary"),
        ({"name": "a", "kind": "categorical", "missing": "zero"}, "missing must be 'indicator' or 'refuse'"),
        ({"name": "a", "kind": "categorical", "vocabulary": 1}, "greater than or equal to 2"),
        ({"name": "a", "kind": "numeric", "window": [8, 7]}, "1 <= first <= last"),
        ({"name": "self", "kind": "numeric"}, "feature 'self': TensorFlow cannot save .* rename it"),
        ({"name": "class", "kind": "categorical"}, "feature 'class': TensorFlow cannot save .* rename it"),
    ],
)
def test_refuses_what_cannot_be(item, message):
    with pytest.raises(SettingsError, match=message):
        features(item)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b", "a"), "feature 'a' is declared more than once"),
        (("Age", "b", "age"), "features 'Age' and 'age' differ only in case"),
        (("user_ID", "User_Id"), "features 'user_ID' and 'User_Id' differ only in case"),
    ],
)
def test_refuses_names_that_name_one_column(names, message):
    with pytest.raises(SettingsError, match=message):
        features(*({"name": name, "kind": "numeric"} for name in names))


@pytest.mark.parametrize("name", ["ga4", "ga360", "online_shoppers"])
def test_the_data_sets_declare_features(name):
    given = load_features(schema.ROOT / name / "features.yaml")
    assert given.slices
    assert len(given.features) >= (15 if name == "online_shoppers" else 30)
