"""Checks credentials, enabled APIs, your permissions, and the service accounts' roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runners.doctor.findings import Case, Finding, attempt, listed, ok, problem, warning
from runners.doctor.images import ImageName
from runners.vertex.iam import Grant, Roles, load_roles

_BROAD = ("roles/owner", "roles/editor")


def check_credentials(case: Case) -> Iterator[Finding]:
    """Checks that there are credentials, and that they give a token."""
    from google.auth.transport.requests import Request

    credentials = case.clients.credentials
    if not credentials.valid:
        credentials.refresh(Request())
    yield ok(f"found those of {getattr(credentials, 'service_account_email', None) or 'a user'}")


def check_apis(case: Case) -> Iterator[Finding]:
    """Checks that the services that a run calls are enabled."""
    for project, services in _services(case).items():
        yield from attempt(_apis_of, case, project, services)


def _apis_of(case: Case, project: str, services: Sequence[str]) -> Iterator[Finding]:
    names = [f"projects/{project}/services/{service}.googleapis.com" for service in services]
    path = f"/v1/projects/{project}/services:batchGet"
    found = case.clients.call("GET", "serviceusage", path, params={"names": names}).get("services", [])
    enabled = {service["name"].rpartition("/")[2] for service in found if service.get("state") == "ENABLED"}
    missing = {f"{service}.googleapis.com" for service in services} - enabled
    if missing:
        command = f"gcloud services enable {' '.join(sorted(missing))} --project {project}"
        yield problem(f"{listed(missing)} not enabled in {project}; run `{command}`")
    else:
        yield ok(f"{listed(services)} enabled in {project}")


def check_permissions(case: Case) -> Iterator[Finding]:
    """Checks the caller's permissions against the deployer's in iam.yaml, where a service answers that question."""
    grants: dict[str, list[Grant]] = {}
    for grant in load_roles().account("deployer").grants:
        if grant.needed_with(case.settings):
            grants.setdefault(grant.resource, []).append(grant)
    for resource, wanted in grants.items():
        yield from attempt(_permissions_on, case, resource, wanted)


def _permissions_on(case: Case, resource: str, wanted: Sequence[Grant]) -> Iterator[Finding]:
    held = _held(case, resource, [permission for grant in wanted for permission in grant.permissions])
    if held is None:
        return  # BigQuery does not list permissions on a data set; the dry run needs them
    lacking = [f"{listed(missing)} ({grant.role})" for grant in wanted if (missing := {*grant.permissions} - held)]
    where = f"on {'' if resource.startswith('the ') else 'the '}{resource}"
    if lacking:
        yield problem(f"{where} you lack {'; '.join(lacking)}")
    else:
        yield ok(f"{where}: {listed(grant.role for grant in wanted)}")


def check_accounts(case: Case) -> Iterator[Finding]:
    """Checks the service accounts' roles on the projects. Roles through a group or a folder are not visible."""
    roles = load_roles()
    projects = {"project": case.settings.project}
    if case.settings.warehouse.engine == "bigquery":
        projects["warehouse project"] = case.settings.warehouse.project
    policies = {project: _roles_by_member(case, project) for project in dict.fromkeys(projects.values())}
    for name, email in _named_accounts(case, roles):
        needed = [grant for grant in roles.account(name).grants if grant.needed_with(case.settings)]
        here = {(projects[grant.resource], grant.role): grant for grant in needed if grant.resource in projects}
        lacking = []
        for project, role in here:
            held = policies[project].get(f"serviceAccount:{email}", set())
            broad = held & set(_BROAD)
            if broad:
                yield warning(f"{email} has {listed(broad)} on {project}, which is more than it needs")
            elif role not in held:
                lacking.append(
                    f"gcloud projects add-iam-policy-binding {project} --member serviceAccount:{email} --role {role}"
                )
        if lacking:
            yield warning(f"{email} lacks roles, unless it has them through a group; run {'; '.join(lacking)}")
        else:
            yield ok(f"{email}: {listed({role for _, role in here})}; its roles on other resources are not checked")


def _services(case: Case) -> dict[str, list[str]]:
    """The services that must be enabled, by project."""
    settings = case.settings
    services = {settings.project: ["aiplatform", "artifactregistry", "cloudresourcemanager", "iam", "storage"]}
    if settings.warehouse.engine == "bigquery":
        services.setdefault(settings.warehouse.project, []).extend(["bigquery", "bigquerystorage"])
    if settings.dataflow:
        services[settings.project] += ["compute", "dataflow"]
    if settings.alert_topic:
        services.setdefault(settings.alert_topic.split("/")[1], []).append("pubsub")
    if settings.kms_key:
        services.setdefault(settings.kms_key.split("/")[1], []).append("cloudkms")
    return services


def _held(case: Case, resource: str, permissions: list[str]) -> set[str] | None:
    """The permissions that the caller has; None if no service answers that question."""
    settings, clients = case.settings, case.clients
    if resource == "bucket":
        bucket = clients.storage.bucket(settings.pipeline_root.split("/")[2])
        return set(bucket.test_iam_permissions(permissions))
    body = {"permissions": permissions}
    image = ImageName.parse(settings.image)
    asked = {
        "project": ("cloudresourcemanager", f"/v1/projects/{settings.project}"),
        "the pipeline's account": ("iam", f"/v1/projects/-/serviceAccounts/{settings.service_account}"),
    }
    if settings.warehouse.engine == "bigquery":
        asked["warehouse project"] = ("cloudresourcemanager", f"/v1/projects/{settings.warehouse.project}")
    if image:
        asked["repository"] = ("artifactregistry", f"/v1/{image.repository}")
    if resource not in asked:
        return None
    service, path = asked[resource]
    return set(clients.call("POST", service, f"{path}:testIamPermissions", body=body).get("permissions", []))


def _roles_by_member(case: Case, project: str) -> dict[str, set[str]]:
    """The roles in a project's policy, by member."""
    body = {"options": {"requestedPolicyVersion": 3}}
    policy = case.clients.call("POST", "cloudresourcemanager", f"/v1/projects/{project}:getIamPolicy", body=body)
    roles: dict[str, set[str]] = {}
    for binding in policy.get("bindings", []):
        for member in binding.get("members", []):
            roles.setdefault(member, set()).add(binding["role"])
    return roles


def _named_accounts(case: Case, roles: Roles) -> Iterable[tuple[str, str]]:
    """The accounts of iam.yaml that the settings name: name and e-mail."""
    for account in roles.accounts:
        email = account.email(case.settings)
        if email:
            yield account.name, email
