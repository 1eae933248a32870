"""Single operations of TFT's graph: which are planned, and what they give in the corners."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.beam import analyzer_cache

from pipeline.fast.compat import analyzer_nodes
from pipeline.fast.transform import analysis, plan
from pipeline.fast.transform.analysis import Analysis
from pipeline.fast.transform.plan import Unsupported

SPECS = {"x": tf.TensorSpec([None], tf.float32), "word": tf.TensorSpec([None], tf.string)}
DATASET = analyzer_cache.DatasetKey("train")
WORDS = [b"b", b"a", b"c", b"b", b"a", b"d"]
NUMBERS = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0]


class Rows:
    """Stands for a RawSplit of two batches."""

    def only(self, columns):
        self.columns = columns
        return self

    def batches(self):
        for rows in (slice(0, 4), slice(4, 6)):
            values = {"x": np.array(NUMBERS[rows], np.float32), "word": np.array(WORDS[rows], object)}
            yield 10, {name: values[name] for name in self.columns}


def analyze(function, folder, monkeypatch, cached=False):
    monkeypatch.setattr(analysis, "_batches", Rows.batches)
    (folder / "temporary").mkdir()
    found = Analysis(function, SPECS, [DATASET], cached=cached, folder=str(folder / "temporary"))
    results = found.run({DATASET: Rows()})
    found.save(results, str(folder))
    return tft.TFTransformOutput(str(folder))


def vocabulary(**options):
    return lambda inputs: {
        "word": tft.compute_and_apply_vocabulary(inputs["word"], vocab_filename="words", **options),
        "x": inputs["x"],
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [b"b", b"a", b"d", b"c"]),
        ({"top_k": 3}, [b"b", b"a", b"d"]),
        ({"frequency_threshold": 2}, [b"b", b"a"]),
        ({"frequency_threshold": 3}, [b"49d0cd50-04bb-48c0-bc6f-5b575dce351a"]),
        ({"store_frequency": True, "top_k": 1}, [b"2 b"]),
    ],
)
def test_vocabularies_are_ordered_by_count_and_then_token(options, expected, tmp_path, monkeypatch):
    assert analyze(vocabulary(**options), tmp_path, monkeypatch).vocabulary_by_name("words") == expected


@pytest.mark.parametrize("cached", [False, True])
def test_combiners_that_users_may_choose(tmp_path, monkeypatch, cached):
    def function(inputs):
        return {
            "z": tft.scale_to_z_score(inputs["x"]),
            "unit": tft.scale_to_0_1(inputs["x"]),
            "bucket": tft.bucketize(inputs["x"], 3),
        }

    output = analyze(function, tmp_path, monkeypatch, cached)
    rows = output.transform_raw_features({"x": tf.constant(NUMBERS), "word": tf.constant(WORDS)})
    x = np.array(NUMBERS)
    assert rows["z"].numpy() == pytest.approx((x - x.mean()) / x.std(), rel=1e-6)
    assert rows["unit"].numpy() == pytest.approx((x - 1) / 8, rel=1e-6)
    assert rows["bucket"].numpy().tolist() == [0, 0, 1, 1, 2, 2]


def two_phases(inputs):
    centred = inputs["x"] - tft.mean(inputs["x"])
    return {"x": centred / tft.max(tf.abs(centred))}


def table_from_outside(inputs):
    keys, values = tf.constant(["a"]), tf.constant(["b"])
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), "")
    return {"x": tft.compute_and_apply_vocabulary(table.lookup(inputs["word"]))}


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (two_phases, "needs the result of another"),
        (table_from_outside, "lookup table|does not run"),
        (vocabulary(fingerprint_shuffle=True), "a shuffled one"),
        (vocabulary(coverage_top_k=1, key_fn=lambda word: word), "key_fn"),
        (lambda inputs: {"x": tft.scale_to_z_score_per_key(inputs["x"], inputs["word"])}, "CombinePerKey"),
        (lambda inputs: {}, "no features"),
    ],
)
def test_what_only_tfx_can_run_is_refused_and_nothing_written(function, why, tmp_path, monkeypatch):
    with pytest.raises(Unsupported, match=why):
        analyze(function, tmp_path, monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_each_known_operation_has_the_tested_fields_in_the_installed_version():
    assert {kind: set(kind._fields) for kind in plan._TESTED_FIELDS} == plan._TESTED_FIELDS


@pytest.mark.parametrize("kind", sorted(plan._TESTED_FIELDS, key=lambda kind: kind.__name__))
def test_an_operation_with_a_new_field_goes_to_tfx(kind, monkeypatch):
    operation = kind._make([None] * len(kind._fields))
    monkeypatch.setattr(kind, "_fields", (*kind._fields, "new_in_2_0"))
    with pytest.raises(Unsupported, match=f"{kind.__name__} has other fields than those tested: new_in_2_0"):
        plan.Plan().visit(operation, ())


def test_a_traced_function_whose_vocabulary_has_a_new_field_goes_to_tfx(tmp_path, monkeypatch):
    fields = (*analyzer_nodes.VocabularyPrune._fields, "new_in_2_0")
    monkeypatch.setattr(analyzer_nodes.VocabularyPrune, "_fields", fields)
    with pytest.raises(Unsupported, match="VocabularyPrune has other fields"):
        analyze(vocabulary(), tmp_path, monkeypatch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["temporary"]
