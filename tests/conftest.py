import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["tests.transformed_examples"]  # fixtures of models and of what reads examples for them


@pytest.fixture(scope="session", autouse=True)
def quiet_tensorflow():
    """TensorFlow's start-up lines say nothing about a test; its processes inherit this."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as runners.local_runner has it


@pytest.fixture(scope="session", autouse=True)
def usual_signals():
    """A shell starts its background jobs with SIGINT ignored, and nohup ignores SIGHUP; tests send both."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def online_shoppers_csv() -> Path:
    """The UCI Online Shoppers file, which is not in the repository."""
    named = os.environ.get("ONLINE_SHOPPERS_CSV")
    if not named:
        pytest.skip("set ONLINE_SHOPPERS_CSV to online_shoppers_intention.csv (UCI, 10.24432/C5F88Q) to run this test")
    return Path(named)
