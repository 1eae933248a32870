"""AlertOnFailure: an exit handler of Vertex AI that publishes failed runs to a Pub/Sub topic."""

# No postponed annotations: TFX reads the types of the parameters at run time.
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
    """The message on a failed run: its name, its state, and the error in one line."""
    return {
        "run": status.get("pipelineJobResourceName") or status.get("pipelineJobName", ""),
        "state": status.get("state", ""),
        "error": " ".join(status.get("error", {}).get("message", "").split()),
    }
