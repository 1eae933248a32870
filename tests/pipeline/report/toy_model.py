"""A SavedModel with the signature `predict` of models/export.py."""

import tensorflow as tf

from models.export import OUTPUT, TENSORS_SIGNATURE


def save_toy_model(folder, probability=None):
    """Writes a model of the features visits and country; it looks at visits alone. Returns the folder."""

    def from_visits(visits):
        return tf.sigmoid(tf.where(tf.math.is_nan(visits), 0.0, visits))

    module = tf.Module()
    score = probability or from_visits

    @tf.function(input_signature=[{"visits": tf.TensorSpec([None]), "country": tf.TensorSpec([None], tf.string)}])
    def predict(named):
        return {OUTPUT: score(named["visits"])[:, tf.newaxis] + 0 * tf.strings.to_number("0")}

    module.predict = predict
    tf.saved_model.save(module, folder, signatures={TENSORS_SIGNATURE: predict})
    return folder
