import numpy as np
import tensorflow_model_analysis as tfma

from pipeline.fast.metrics.rows import LabelledRows
from pipeline.fast.metrics.slices import rows_by_slice
from pipeline.fast.text_column import TextColumn


def rows(**columns):
    """A missing value is None."""
    found = {}
    for name, values in columns.items():
        names = sorted({value for value in values if value is not None})
        codes = [-1 if value is None else names.index(value) for value in values]
        found[name] = TextColumn(np.array(codes, np.int32), np.array(names, object))
    count = len(next(iter(columns.values())))
    return LabelledRows(np.zeros(count, np.int64), {"": np.full(count, 0.5, np.float32)}, found)


def found(given, *specs):
    config = tfma.EvalConfig(slicing_specs=specs)
    return {key: numbers.tolist() for key, numbers in rows_by_slice(config, given).items()}


GIVEN = rows(country=["de", "fr", None, "de"], device=["phone", "phone", "phone", "desk"])


def test_without_specs_there_is_the_whole():
    assert found(GIVEN) == found(GIVEN, tfma.SlicingSpec()) == {(): [0, 1, 2, 3]}


def test_a_row_that_lacks_the_feature_is_in_no_slice():
    by_country = tfma.SlicingSpec(feature_keys=["country"])
    assert found(GIVEN, by_country) == {(("country", "de"),): [0, 3], (("country", "fr"),): [1]}
    assert found(rows(country=[None, None]), by_country) == {}


def test_crosses_and_values():
    crossed = {
        (("country", "de"), ("device", "desk")): [3],
        (("country", "de"), ("device", "phone")): [0],
        (("country", "fr"), ("device", "phone")): [1],
    }
    assert found(GIVEN, tfma.SlicingSpec(feature_keys=["device", "country"])) == crossed
    of_phones = tfma.SlicingSpec(feature_keys=["country"], feature_values={"device": "phone"})
    assert found(GIVEN, of_phones) == {key: numbers for key, numbers in crossed.items() if key[1][1] == "phone"}
    assert found(GIVEN, tfma.SlicingSpec(feature_values={"device": "tablet"})) == {}


def test_the_same_slice_by_two_specs_is_one():
    specs = tfma.SlicingSpec(feature_keys=["country"]), tfma.SlicingSpec(feature_values={"country": "fr"})
    assert found(GIVEN, *specs) == {(("country", "de"),): [0, 3], (("country", "fr"),): [1]}
