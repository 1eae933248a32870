"""A SavedModel with the signature `predict` of models/export.py."""

import tensorflow as tf

from models.signatures import OUTPUT, TENSORS_SIGNATURE


def save_toy_model(folder, probability=None):
    """Writes a model of the features visits and country; it looks at visits alone. Returns the folder."""

    def from_visits(visits):
        return tf.sigmoid(tf.where(tf.math.is_nan(visits), 0.0, visits))

    module = tf.Module()
    score = probability or from_visits

    spec = {
        "visits": tf.TensorSpec([None], tf.float32, "visits"),
        "country": tf.TensorSpec([None], tf.string, "country"),
    }

    @tf.function(input_signature=[spec])
    def predict(named):
        return {OUTPUT: score(named["visits"])[:, tf.newaxis]}

    module.predict = predict
    tf.saved_model.save(module, folder, signatures={TENSORS_SIGNATURE: predict})
    return folder
