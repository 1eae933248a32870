import functools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from sklearn.preprocessing import QuantileTransformer
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

import preprocessing
from models.features import FeatureSet
from pipeline.fast.compat import impl_helper

ROWS = 1000
FEATURES = FeatureSet.from_config(
    [
        {"name": "skewed", "kind": "numeric"},
        {"name": "holes", "kind": "numeric"},
        {"name": "count", "kind": "numeric", "missing": "zero"},
        {"name": "constant", "kind": "numeric"},
        {"name": "empty", "kind": "numeric"},
        {"name": "country", "kind": "categorical", "vocabulary": 3},
        {"name": "device", "kind": "categorical"},
    ]
)
SPEC = {
    "skewed": tf.io.FixedLenFeature([], tf.float32),
    "holes": tf.io.VarLenFeature(tf.float32),
    "count": tf.io.VarLenFeature(tf.int64),
    "constant": tf.io.FixedLenFeature([1], tf.float32),
    "empty": tf.io.VarLenFeature(tf.float32),
    "country": tf.io.VarLenFeature(tf.string),
    "device": tf.io.FixedLenFeature([], tf.string),
    "bought": tf.io.FixedLenFeature([], tf.int64),
}


def raw_columns():
    random = np.random.default_rng(0)
    return {
        "skewed": np.where(random.random(ROWS) < 0.4, 0.0, random.lognormal(3, 2, ROWS)).astype(np.float32),
        "holes": np.where(random.random(ROWS) < 0.3, np.nan, random.normal(5, 2, ROWS)).astype(np.float32),
        "count": np.where(random.random(ROWS) < 0.5, -1, random.integers(0, 9, ROWS)),  # -1 is missing here
        "country": random.choice(["de", "fr", "at", "ch", "it"], ROWS, p=[0.4, 0.25, 0.2, 0.1, 0.05]),
        "device": random.choice(["phone", "desktop"], ROWS, p=[0.7, 0.3]),
        "bought": random.integers(0, 2, ROWS),
    }


def raw_rows(columns):
    return [
        {
            "skewed": columns["skewed"][row],
            "holes": [] if math.isnan(columns["holes"][row]) else [columns["holes"][row]],
            "count": [] if columns["count"][row] < 0 else [columns["count"][row]],
            "constant": [7.0],
            "empty": [],
            "country": [] if row % 10 == 0 else [columns["country"][row].encode()],
            "device": columns["device"][row].encode(),
            "bought": columns["bought"][row],
        }
        for row in range(ROWS)
    ]


@pytest.fixture(scope="module")
def transformed(tmp_path_factory):
    """Raw columns, transformed columns and the transform graph's folder."""
    columns = raw_columns()
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    config = {"features": FEATURES.to_config(), "label": "bought", "quantiles": 100}
    folder = tmp_path_factory.mktemp("transform")
    with tft_beam.Context(temp_dir=str(tmp_path_factory.mktemp("beam"))):
        (rows, _), transform_fn = (raw_rows(columns), metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, config)
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder))
    return (
        columns,
        {name: np.array([row[name] for row in rows]) for name in rows[0]},
        tft.TFTransformOutput(str(folder)),
    )


def test_outputs_keep_names_types_and_rows(transformed):
    _, outputs, output = transformed
    assert set(outputs) == {*FEATURES.names, "bought"}
    assert all(values.shape == (ROWS,) for values in outputs.values())
    expected = dict.fromkeys([feature.name for feature in FEATURES.numeric], tf.float32)
    expected |= dict.fromkeys([feature.name for feature in FEATURES.categorical] + ["bought"], tf.int64)
    assert {name: spec.dtype for name, spec in output.transformed_feature_spec().items()} == expected


def test_label_is_unchanged(transformed):
    columns, outputs, _ = transformed
    assert np.array_equal(outputs["bought"], columns["bought"])


def test_numbers_become_standard_normal(transformed):
    _, outputs, _ = transformed
    assert np.nanmean(outputs["holes"]) == pytest.approx(0, abs=0.05)
    assert np.nanstd(outputs["holes"]) == pytest.approx(1, abs=0.05)


def test_numbers_keep_their_order(transformed):
    columns, outputs, _ = transformed
    order = np.argsort(columns["skewed"])
    assert (np.diff(outputs["skewed"][order]) >= 0).all()
    assert np.abs(outputs["skewed"]).max() <= np.float32(preprocessing.CLIP)


def test_mass_of_ties_lies_at_its_middle_rank(transformed):
    columns, outputs, _ = transformed
    zero = columns["skewed"] == 0
    middle = float(tf.math.ndtri(zero.mean() / 2))
    assert outputs["skewed"][zero] == pytest.approx(middle, abs=0.05)


def test_missing_stays_missing_and_moves_no_quantile(transformed):
    columns, outputs, _ = transformed
    missing = np.isnan(columns["holes"])
    assert np.array_equal(np.isnan(outputs["holes"]), missing)
    above_median = columns["holes"][~missing] > np.median(columns["holes"][~missing])
    assert above_median.mean() == pytest.approx((outputs["holes"][~missing] > 0).mean(), abs=0.02)


def test_missing_is_zero_where_the_policy_says_so(transformed):
    columns, outputs, _ = transformed
    assert not np.isnan(outputs["count"]).any()
    assert set(outputs["count"][columns["count"] < 0]) == set(outputs["count"][columns["count"] == 0])


def test_constant_and_empty_columns_are_harmless(transformed):
    _, outputs, _ = transformed
    assert (outputs["constant"] == 0).all()
    assert np.isnan(outputs["empty"]).all()


def test_categories_are_ranked_by_frequency_and_the_rest_shares_a_bucket(transformed):
    columns, outputs, output = transformed
    missing = np.arange(ROWS) % 10 == 0
    for rank, country in enumerate(["de", "fr", "at"]):
        assert set(outputs["country"][~missing & (columns["country"] == country)]) == {rank}
    assert set(outputs["country"][~missing & np.isin(columns["country"], ["ch", "it"])]) == {3}
    assert output.vocabulary_size_by_name("country") == 3
    assert output.vocabulary_by_name("device") == [b"phone", b"desktop"]


def transform(output, **changes):
    """Transforms one row, as serving does, without the label."""
    row = {"skewed": 1.0, "holes": 5.0, "count": 2, "constant": 7.0, "empty": None, "country": "de", "device": "phone"}
    row |= changes
    inputs = {}
    for name, value in row.items():
        dtype = SPEC[name].dtype
        if isinstance(SPEC[name], tf.io.VarLenFeature):
            values = [] if value is None else [value]
            inputs[name] = tf.SparseTensor(np.zeros((len(values), 2)), tf.constant(values, dtype), [1, 1])
        else:
            inputs[name] = tf.constant([value], dtype, [1, *SPEC[name].shape])
    return {name: values.numpy()[0] for name, values in output.transform_features_layer()(inputs).items()}


def test_serving_needs_no_label_and_takes_what_training_never_saw(transformed):
    _, _, output = transformed
    row = transform(output, skewed=1e30, holes=-1e30, constant=8.0, empty=3.0, country="xx", device="watch")
    assert "bought" not in row
    assert row["skewed"] == pytest.approx(preprocessing.CLIP)
    assert row["holes"] == pytest.approx(-preprocessing.CLIP)
    assert row["constant"] == 0
    assert row["empty"] == 0
    assert row["country"] == 3
    assert row["device"] == 2


@pytest.mark.parametrize("sign", [-1, 1])
def test_infinity_is_clipped_like_any_extreme_value(transformed, sign):
    _, _, output = transformed
    names = ("skewed", "holes", "constant", "empty")
    infinite, extreme = (
        transform(output, **dict.fromkeys(names, sign * value)) for value in (math.inf, np.finfo(np.float32).max)
    )
    assert infinite == extreme
    assert infinite["holes"] == pytest.approx(sign * preprocessing.CLIP)


def test_missing_and_empty_category_are_the_same(transformed):
    _, _, output = transformed
    assert transform(output, country=None)["country"] == transform(output, country="")["country"]


def test_missing_category_has_a_rank_of_its_own(tmp_path):
    config = {"features": [{"name": "x", "kind": "categorical"}], "label": "y"}
    metadata = dataset_metadata.DatasetMetadata(
        schema_utils.schema_from_feature_spec(
            {"x": tf.io.VarLenFeature(tf.string), "y": tf.io.FixedLenFeature([], tf.int64)}
        )
    )
    data = [{"x": [], "y": 0}, {"x": [], "y": 0}, {"x": [b"a"], "y": 1}]
    with tft_beam.Context(temp_dir=str(tmp_path)):
        (rows, _), _ = (data, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, config)
        )
    assert [int(row["x"]) for row in rows] == [0, 0, 1]


def test_to_normal_agrees_with_scikit_learn_between_the_ends():
    values = np.random.default_rng(1).gamma(2.0, size=(500, 1)).astype(np.float32)
    boundaries = np.quantile(values, np.linspace(0, 1, 101), axis=0).T.astype(np.float32)
    expected = QuantileTransformer(n_quantiles=101, output_distribution="normal").fit_transform(values)
    assert preprocessing.to_normal(values, boundaries).numpy() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("quantiles", [10, 1000, 10_000])
def test_no_output_is_a_denormal_number(quantiles):
    """The tree graph and XGBoost disagree about those; the smallest rank beside the median's is far from them."""
    tiny = np.finfo(np.float32).tiny
    random = np.random.default_rng(quantiles)
    values = np.concatenate([random.normal(size=5000), tiny * random.normal(size=5000), [tiny, 1e-45, -1e-45, 0.0]])
    values = values.astype(np.float32)[:, np.newaxis]
    sets = [
        random.normal(size=quantiles + 1),
        tiny * random.normal(size=quantiles + 1),
        np.linspace(-1, 1, quantiles + 1),
    ]
    for boundaries in sets:
        boundaries = np.sort(boundaries)[np.newaxis].astype(np.float32)
        near = np.nextafter(np.repeat(boundaries[0], 2), np.tile([-np.inf, np.inf], quantiles + 1).astype(np.float32))
        normal = np.abs(preprocessing.to_normal(np.concatenate([values, near[:, np.newaxis]]), boundaries).numpy())
        assert normal[normal > 0].min() > 1e-17
    ranks = np.float64(0.5) + np.array([-(2.0**-54), 2.0**-53])  # the closest to the median's
    assert np.abs(tf.math.ndtri(ranks).numpy()).min() > 1e-17


def test_a_number_with_two_values_in_a_row_is_refused():
    values = tf.SparseTensor([[0, 0], [1, 0], [1, 1]], [1.0, 2.0, 3.0], [2, 2])
    other = tf.SparseTensor([[0, 0]], [5.0], [2, 1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="a number has several values in one row"):
        preprocessing._side_by_side([values, other])


def test_sparse_and_dense_numbers_keep_their_columns():
    features = FeatureSet.from_config([{"name": name, "kind": "numeric"} for name in "abcd"]).numeric
    inputs = {
        "a": tf.constant([[1.0], [2.0], [3.0]]),
        "b": tf.SparseTensor([[0, 0], [2, 0]], [4.0, 6.0], [3, 1]),
        "c": tf.constant([7.0, 8.0, 9.0]),
        "d": tf.SparseTensor(np.zeros([0, 2], np.int64), np.zeros(0, np.float32), [3, 0]),
    }
    nan = np.nan
    expected = [[1, 4, 7, nan], [2, nan, 8, nan], [3, 6, 9, nan]]
    np.testing.assert_array_equal(preprocessing._numbers(inputs, features).numpy(), np.float32(expected))


def test_the_graph_takes_no_operation_for_each_sparse_number():
    def operations(count):
        features = FeatureSet.from_config([{"name": f"n{i}", "kind": "numeric"} for i in range(count)]).numeric
        specs = {feature.name: tf.SparseTensorSpec([None, None], tf.float32) for feature in features}
        graph = tf.function(lambda inputs: preprocessing._numbers(inputs, features)).get_concrete_function(specs).graph
        return sum(operation.type != "Placeholder" for operation in graph.get_operations())

    assert operations(40) == operations(20)


def test_each_further_feature_adds_as_many_operations_as_any_other(tmp_path):
    def operations(count):
        kinds = ("numeric", "numeric", "numeric", "categorical")
        features = [{"name": f"f{i}", "kind": kinds[i % 4]} for i in range(count)]
        dtypes = {"numeric": tf.float32, "categorical": tf.string}
        specs = {each["name"]: tf.SparseTensorSpec([None, None], dtypes[each["kind"]]) for each in features}
        graph, _, _ = impl_helper.trace_preprocessing_function(
            functools.partial(preprocessing.preprocessing_fn, custom_config={"features": features, "label": "y"}),
            {**specs, "y": tf.TensorSpec([None], tf.int64)},
            use_tf_compat_v1=False,
            base_temp_dir=str(tmp_path),
        )
        return len(graph.get_operations())

    few, more, most = (operations(count) for count in (20, 40, 60))
    assert most - more == more - few
