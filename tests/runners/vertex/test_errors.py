"""Errors of the services in one line that says what to do."""

import json

import pytest
import requests
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from runners.vertex.errors import describe, handled
from tests.runners.cloud.vertex import Refusal, bad_field, denied


def answered(refusal):
    """The error that Google's client makes of an answer."""
    response = requests.Response()
    response.status_code = refusal.code
    response._content = json.dumps(refusal.document).encode()
    response.request = requests.Request("POST", "https://us-central1-aiplatform.googleapis.com/v1/x").prepare()
    return exceptions.from_http_response(response)


def unreachable():
    request = requests.Request("GET", "https://dataflow.googleapis.com/v1b3/x").prepare()
    return requests.exceptions.ConnectionError("Max retries exceeded", request=request)


DISABLED = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "SERVICE_DISABLED",
    "metadata": {"service": "aiplatform.googleapis.com", "consumer": "projects/1"},
}


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            answered(denied("aiplatform.pipelineJobs.create", "//aiplatform.googleapis.com/projects/p")),
            "your account lacks the permission aiplatform.pipelineJobs.create on //aiplatform.googleapis.com/projects/p"
            "; ask for roles/aiplatform.user on the project (docs/vertex.md)",
        ),
        (
            answered(Refusal(403, "You do not have permission to act as service_account: a@b.iam.gserviceaccount.com")),
            "your account lacks the permission iam.serviceAccounts.actAs on a@b.iam.gserviceaccount.com; ask "
            "for roles/iam.serviceAccountUser on the pipeline's account (docs/vertex.md)",
        ),
        (
            answered(Refusal(403, "The caller does not have permission")),
            "The caller does not have permission; see the roles in docs/vertex.md",
        ),
        (
            answered(Refusal(403, "Access Denied: User does not have bigquery.tables.delete permission for table x.")),
            "your account lacks the permission bigquery.tables.delete on project 'my-project'; ask for "
            "roles/bigquery.dataEditor on the features data set (docs/vertex.md)",
        ),
        (
            answered(Refusal(403, "Vertex AI API has not been used in project 1 before", details=[DISABLED])),
            "aiplatform.googleapis.com is not enabled; run `gcloud services enable aiplatform.googleapis.com "
            "--project my-project`",
        ),
        (
            answered(Refusal(404, "The PipelineJob does not exist.")),
            "The PipelineJob does not exist; check the name, and project 'my-project' and region 'us-central1' "
            "in the settings",
        ),
        (
            answered(bad_field("pipeline_job.service_account", "is no account")),
            "the service refused the request: pipeline_job.service_account: is no account",
        ),
        (
            answered(Refusal(400, "run-1 is in state SUCCEEDED,\nit cannot be cancelled.", "FAILED_PRECONDITION")),
            "the service refused the request: run-1 is in state SUCCEEDED, it cannot be cancelled",
        ),
        (
            answered(Refusal(429, "Quota exceeded for quota metric 'requests'.")),
            "Quota exceeded for quota metric 'requests'; wait and try again, or request more quota for project "
            "'my-project' in region 'us-central1'",
        ),
        (
            answered(Refusal(409, "It already exists.")),
            "It already exists; perhaps an earlier attempt succeeded: run `status`",
        ),
        (
            answered(Refusal(401, "Request had invalid authentication credentials.")),
            "Request had invalid authentication credentials; run `gcloud auth application-default login`",
        ),
        (
            answered(Refusal(500, "Internal error encountered.")),
            "Internal error encountered; the service itself failed: try again, and see "
            "status.cloud.google.com",
        ),
        (
            exceptions.RetryError("Timeout of 15.0s exceeded", cause=unreachable()),
            "cannot reach dataflow.googleapis.com (ConnectionError); check the network, the proxy and --endpoint",
        ),
        (
            requests.exceptions.ReadTimeout("timed out"),
            "cannot reach the service (ReadTimeout); check the network, the proxy and --endpoint",
        ),
        (
            DefaultCredentialsError("Your default credentials were not found. To set up ... see ..."),
            "found no Google credentials; run `gcloud auth application-default login`, or set "
            "GOOGLE_APPLICATION_CREDENTIALS to a service account's key file",
        ),
        (
            RefreshError("('invalid_grant: Token has been expired or revoked.',\n{})"),
            "Google refused the credentials (('invalid_grant: Token has been expired or revoked.', {})); run "
            "`gcloud auth application-default login`",
        ),
    ],
)  # fmt: skip
def test_one_line_says_what_to_do(error, line):
    assert isinstance(error, handled())
    assert describe(error, project="my-project", region="us-central1") == line
