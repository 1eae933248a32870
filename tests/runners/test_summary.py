import pytest
from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2

from runners.summary import _reason

HIGHER, LOWER = config_pb2.MetricDirection.HIGHER_IS_BETTER, config_pb2.MetricDirection.LOWER_IS_BETTER


def failure(name, value, **threshold):
    found = validation_result_pb2.ValidationFailure()
    found.metric_key.name = name
    found.metric_value.double_value.value = value
    found.metric_threshold.CopyFrom(config_pb2.MetricThreshold(**threshold))
    return found


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            failure("roc_auc", 0.51184, value_threshold=config_pb2.GenericValueThreshold(lower_bound={"value": 0.9})),
            "roc_auc is 0.5118, the least allowed is 0.9",
        ),
        (
            failure("log_loss", 0.7, value_threshold=config_pb2.GenericValueThreshold(upper_bound={"value": 0.25})),
            "log_loss is 0.7000, the most allowed is 0.25",
        ),
        (
            failure(
                "roc_auc_diff",
                -0.02,
                change_threshold=config_pb2.GenericChangeThreshold(absolute={"value": -0.01}, direction=HIGHER),
            ),
            "roc_auc changed by -0.0200 against the champion's, the least allowed is -0.01",
        ),
        (
            failure(
                "log_loss_diff",
                0.02,
                change_threshold=config_pb2.GenericChangeThreshold(absolute={"value": 0.01}, direction=LOWER),
            ),
            "log_loss changed by +0.0200 against the champion's, the most allowed is +0.01",
        ),
    ],
)
def test_a_broken_bound_is_told_in_words(broken, words):
    assert _reason(broken) == words
