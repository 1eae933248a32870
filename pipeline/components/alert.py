"""AlertOnFailure: Vertex AI's exit handler, which tells a Pub/Sub topic of a run that failed."""

# Without postponed annotations: TFX reads the types of the parameters as they stand.
import json

from tfx.dsl.component.experimental.annotations import Parameter
from tfx.orchestration.kubeflow.decorators import exit_handler


@exit_handler
def AlertOnFailure(
    final_status: Parameter[str],
    topic: Parameter[str],
):
    """Publishes a message if the run did not succeed.

    Args:
        final_status: Vertex AI's PipelineTaskFinalStatus, as JSON.
        topic: projects/<project>/topics/<name>.
    """
    status = json.loads(final_status)
    if status.get("state") == "SUCCEEDED":
        return
    from google.cloud import pubsub_v1

    message = json.dumps(alert(status)).encode()
    pubsub_v1.PublisherClient().publish(topic, message, state=status.get("state", "")).result(timeout=60)


def alert(status: dict) -> dict[str, str]:
    """What people need to know of a run that failed: its name, its state and the error, in one line."""
    return {
        "run": status.get("pipelineJobResourceName") or status.get("pipelineJobName", ""),
        "state": status.get("state", ""),
        "error": " ".join(status.get("error", {}).get("message", "").split()),
    }
