"""TFMA's results, read by its own functions and held against each other."""

import math

import tensorflow_model_analysis as tfma
from google.protobuf import json_format


def assert_same_results(folder, stock, tolerance=1e-6):
    """The same files, slices, metrics, plots, validation and config; numbers within a tolerance."""
    ours, theirs = ({path.name for path in each.iterdir()} for each in (folder, stock))
    assert (
        ours
        == theirs
        == {
            "attributions-00000-of-00001.tfrecord",
            "eval_config.json",
            "metrics-00000-of-00001.tfrecord",
            "plots-00000-of-00001.tfrecord",
            "validations.tfrecord",
        }
    )
    assert_close(metrics(folder), metrics(stock), tolerance)
    assert_close(plots(folder), plots(stock), tolerance)
    assert_close(validation(folder), validation(stock), tolerance)
    assert tfma.load_eval_result(str(folder)).config == tfma.load_eval_result(str(stock)).config


def metrics(folder):
    return {
        f"{one_slice.slice_key}: {found.key}": json_format.MessageToDict(found.value)
        for one_slice in tfma.load_metrics(str(folder))
        for found in one_slice.metric_keys_and_values
    }


def plots(folder):
    return {
        f"{one_slice.slice_key}: {found.key}": json_format.MessageToDict(found.value)
        for one_slice in tfma.load_plots(str(folder))
        for found in one_slice.plot_keys_and_values
    }


def validation(folder):
    """Its details, in an order of their own: TFMA's is that of the slices' hashes."""
    document = json_format.MessageToDict(tfma.load_validation_result(str(folder)))
    for details in (document, document.get("validationDetails", {})):
        for key, value in details.items():
            if isinstance(value, list):
                details[key] = sorted(value, key=repr)
    return document


def assert_close(found, expected, tolerance, where=""):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_close(found[key], value, tolerance, f"{where} {key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, value in enumerate(expected):
            assert_close(found[number], value, tolerance, f"{where} {number}")
    elif isinstance(expected, float):
        assert isinstance(found, float), where
        assert math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance), (where, found, expected)
    else:
        assert found == expected, where
