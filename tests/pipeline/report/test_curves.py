import numpy as np
import tensorflow as tf

from pipeline.report.curves import read_curves


def test_scalars_come_back_by_tag(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path / "train"))
    with writer.as_default():
        for step, value in ((100, 0.2), (300, 0.15), (200, 0.18)):
            tf.summary.scalar("eval/log_loss", value, step)
        tf.summary.text("notes", "not a curve", 1)
    writer.close()
    found = read_curves(str(tmp_path))
    assert list(found) == ["eval/log_loss"]
    assert found["eval/log_loss"].steps.tolist() == [100, 200, 300]
    np.testing.assert_allclose(found["eval/log_loss"].values, [0.2, 0.18, 0.15], rtol=1e-6)


def test_long_curves_are_thinned_and_keep_their_ends(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        for step in range(1000):
            tf.summary.scalar("loss", float(step), step)
    writer.close()
    curve = read_curves(str(tmp_path))["loss"]
    assert len(curve.steps) == 400
    assert (curve.steps[0], curve.steps[-1]) == (0, 999)
    np.testing.assert_array_equal(curve.values, curve.steps)


def test_a_run_without_logs_has_no_curves(tmp_path):
    assert read_curves(str(tmp_path)) == {}
    assert read_curves(str(tmp_path / "nowhere")) == {}
