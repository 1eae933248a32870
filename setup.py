"""The package: pipeline, models, runners, preprocessing, and every SQL, YAML and schema file they read."""

from setuptools import find_packages, setup

# The Python version selects one of two TFX stacks; tools/environment.sh selects the Python by the host's glibc.
# `make lock` locks requirements.txt from this file for both stacks.
TFX_STACKS = [
    "tfx==1.16.0; python_version < '3.11'",
    "apache-beam[gcp]>=2.59,<2.62; python_version < '3.11'",  # later ones lack dill, which tfx-bsl 1.16 imports
    "tfx==1.21.0; python_version >= '3.11'",
    "apache-beam[gcp]>=2.73; python_version >= '3.11'",
]

REQUIRES = [
    *TFX_STACKS,
    "click",  # runners.tfx_command reads the tfx command's options with it
    "duckdb>=1.5",
    "google-cloud-aiplatform",
    "google-cloud-bigquery",
    "google-cloud-bigquery-storage",
    "google-cloud-pubsub",
    "google-cloud-storage",
    "jinja2",
    "keras-tuner",
    "kfp-pipeline-spec<2.17",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic>=2",
    "pyyaml",
    "requests",
    "scikit-learn",
    "setuptools<81",  # TFX and Beam still import pkg_resources
    "sqlglot>=30,<31",  # tests/pipeline/warehouse checks its translation of each construct in use
    "tensorboard",  # no longer a dependency of TensorFlow 2.21
    "tensorflow",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "tensorflow-transform",
    "tzdata",
    "xgboost-cpu>=3.2,<3.5",  # xgboost without 300 MB of CUDA libraries
]

DEV_REQUIRES = ["psutil", "pytest", "pytest-xdist", "ruff", "uv"]

setup(
    name="propensity-pipeline",
    version="0.1.0",
    description="A TFX pipeline that learns who will convert, and ships only models that are fit to replace the last.",
    python_requires=">=3.10,<3.14",
    install_requires=REQUIRES,
    extras_require={"dev": DEV_REQUIRES},
    py_modules=["preprocessing", "propensity"],
    packages=find_packages(include=["pipeline*", "models*", "runners*", "schema*"]),
    package_data={
        "schema": ["*/*"],
        "pipeline.sample": ["*.json"],
        "runners": ["*.yaml"],
        "runners.vertex": ["*.yaml"],
        "pipeline.report": ["*.j2", "*.css"],
    },
)
