"""Beam options of the steps that run on Dataflow."""

from __future__ import annotations

from runners.vertex.settings import VertexSettings

STEPS = ("StatisticsGen", "Transform", "Evaluator", "Scorer")

# Vertex AI replaces the placeholder with the run's id when the step starts. The id identifies the run's jobs.
RUN_LABEL = "propensity_run"
RUN_ID_PLACEHOLDER = "{{$.pipeline_job_name}}"


def beam_options(settings: VertexSettings, dataset: str, step: str) -> list[str]:
    """Beam options of a step on Dataflow.

    Args:
        settings: settings with `dataflow`.
        dataset: name of the data set; temporary files go to a folder of this name.
        step: one of STEPS.
    """
    dataflow = settings.dataflow
    assert dataflow is not None
    temp = f"{dataflow.temp_location or f'{settings.pipeline_root}/dataflow-temp'}/{dataset}"
    options = {
        "runner": "DataflowRunner",
        "project": settings.project,
        "region": dataflow.region or settings.region,
        "temp_location": temp,
        "staging_location": f"{temp}/staging",
        "job_name": f"{RUN_ID_PLACEHOLDER}-{step.lower()}",  # unique among the active jobs of a project
        "sdk_container_image": dataflow.image,
        "sdk_location": "container",  # the image has Beam and the package, so nothing is staged or installed
        "experiments": "use_runner_v2",
        "machine_type": dataflow.machine_type,
        "disk_size_gb": str(dataflow.disk_gb),
        "autoscaling_algorithm": "THROUGHPUT_BASED",
        "max_num_workers": str(dataflow.max_workers),
        "service_account_email": dataflow.service_account or settings.service_account,
        "subnetwork": dataflow.subnetwork,
        "dataflow_kms_key": settings.kms_key,
    }
    args = [f"--{name}={value}" for name, value in options.items() if value]
    if dataflow.private_ips:
        args.append("--no_use_public_ips")
    labels = {**settings.labels, RUN_LABEL: RUN_ID_PLACEHOLDER}
    return [*args, *(f"--labels={name}={value}" for name, value in labels.items())]
