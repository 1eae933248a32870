"""What two small runs left that are the same: one of BeamDagRunner, one of the compiled job."""

import json
import shutil

SPLITS = {"train": 6, "eval": 3, "test": 4}


def write_runs(folder):
    """Writes both, the second as a copy of the first; returns their folders."""
    local, vertex = folder / "local", folder / "vertex"
    places = {
        ("BigQueryExampleGen", "examples"): write_examples,
        ("StatisticsGen", "statistics"): write_statistics,
        ("CuratedSchema", "schema"): write_schema,
        ("Transform", "transform_graph"): write_graph,
        ("Transform", "transformed_examples"): write_examples,
        ("SelectModel", "model"): write_selection,
        ("Evaluator", "verdict"): write_verdict,
        ("Evaluator", "blessing"): lambda path: (path / "BLESSED").write_text(""),
        ("Pusher", "pushed_model"): lambda path: (path / "saved_model.pb").write_text(""),
    }
    for (component, output), write in places.items():
        here, there = local / "artifacts" / component / output / "10", vertex / component / output
        here.mkdir(parents=True)
        write(here)
        shutil.copytree(here, there)
        older = here.with_name("9")  # of an earlier run: not looked at
        older.mkdir()
    return local, vertex


def example(**features):
    import tensorflow as tf

    found = tf.train.Example()
    for name, value in features.items():
        if isinstance(value, str):
            found.features.feature[name].bytes_list.value.append(value.encode())
        else:
            found.features.feature[name].float_list.value.append(value)
    return found.SerializeToString()


def write_split(path, examples):
    import tensorflow as tf

    path.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path / "data-00000-of-00001.gz"), tf.io.TFRecordOptions("GZIP")) as writer:
        for serialized in examples:
            writer.write(serialized)


def rows(split):
    return [example(visits=float(i), country="DE") for i in range(SPLITS[split])]


def write_examples(folder):
    for split in SPLITS:
        write_split(folder / f"Split-{split}", rows(split))


def write_statistics(folder, mean=2.5, splits=None):
    from tensorflow_metadata.proto.v0 import statistics_pb2

    for split, count in (splits or SPLITS).items():
        found = statistics_pb2.DatasetFeatureStatisticsList()
        dataset = found.datasets.add(num_examples=count)
        feature = dataset.features.add(path={"step": ["visits"]})
        feature.num_stats.mean = mean
        (folder / f"Split-{split}").mkdir(exist_ok=True)
        (folder / f"Split-{split}" / "FeatureStats.pb").write_bytes(found.SerializeToString())


def write_schema(folder, features=("visits", "country")):
    text = "".join(f'feature {{ name: "{name}" type: FLOAT }}\n' for name in features)
    (folder / "schema.pbtxt").write_text(text)


def write_graph(folder, quantiles=(1.0, 2.0)):
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    assets = folder / "transform_fn" / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    (assets / "country").write_text("DE\nFR\nUS\n")
    model = saved_model_pb2.SavedModel()
    node = model.meta_graphs.add().graph_def.library.function.add().node_def.add(op="Const", name="any")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(list(quantiles)))
    (folder / "transform_fn" / "saved_model.pb").write_bytes(model.SerializeToString())


def write_selection(folder):
    metrics = {"log_loss": 0.25, "roc_auc": 0.75}
    candidates = [{"family": family, "problem": None, "metrics": metrics} for family in ("keras", "xgboost")]
    selection = {"chosen": "keras", "metric": "log_loss", "rows": 3, "positives": 1, "candidates": candidates}
    write_json(folder / "selection.json", selection)


def write_verdict(folder):
    check = {"name": "log_loss", "slice": "overall", "metric": "log_loss", "outcome": "pass", "text": "It is 0.25."}
    document = {
        "verdict": "blessed",
        "decided_by": "first_model",
        "data": {"rows": 4, "positives": 2, "base_rate": 0.5},
        "checks": [check, check | {"slice": "country=DE", "outcome": "shown"}],
        "metrics": {"challenger": {"log_loss": 0.25, "roc_auc": 0.75, "calibration_slope": None}},
        "models": {"uri": str(folder)},
    }
    write_json(folder / "verdict.json", document)


def write_json(path, document):
    path.write_text(json.dumps(document))


def change(path, edit):
    """Changes a JSON file by a function."""
    document = json.loads(path.read_text())
    edit(document)
    write_json(path, document)
