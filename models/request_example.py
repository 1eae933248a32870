"""Prints an example request for each signature of a pushed model: `python -m models.request_example <folder>`."""

from __future__ import annotations

import argparse
import base64
import json

import tensorflow as tf

from models.signatures import EXAMPLES_SIGNATURE, TENSORS_SIGNATURE


def example_requests(model_folder: str) -> dict[str, dict]:
    """Request bodies for TensorFlow Serving's REST interface (`:predict`), by signature.

    Args:
        model_folder: a SavedModel written by models.export.

    Returns:
        For both signatures, a JSON-ready body with one row: 1.0 for each number, "x" for each category.
    """
    model = tf.saved_model.load(model_folder)
    _, inputs = model.signatures[TENSORS_SIGNATURE].structured_input_signature
    row = {name: "x" if spec.dtype == tf.string else 1.0 for name, spec in sorted(inputs.items())}
    example = tf.train.Example()
    for name, value in row.items():
        if isinstance(value, str):
            example.features.feature[name].bytes_list.value.append(value.encode())
        else:
            example.features.feature[name].float_list.value.append(value)
    encoded = base64.b64encode(example.SerializeToString()).decode()
    return {
        TENSORS_SIGNATURE: {"signature_name": TENSORS_SIGNATURE, "instances": [row]},
        EXAMPLES_SIGNATURE: {"signature_name": EXAMPLES_SIGNATURE, "instances": [{"examples": {"b64": encoded}}]},
    }


def main() -> None:
    """Prints an example request for each signature."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_folder", help="such as output/ga4/serving/1763683200")
    for signature, body in example_requests(parser.parse_args().model_folder).items():
        print(f"{signature}:\n{json.dumps(body)}\n")


if __name__ == "__main__":
    main()
