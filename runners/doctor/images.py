"""Inspects the images through the registry's API (Docker Registry, version 2)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from runners.doctor.findings import Case, Finding, ok, problem, warning

_HOST = r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev"
_IMAGE = re.compile(
    rf"(?P<host>{_HOST})/(?P<path>(?P<project>[^/]+)/(?P<repo>[^/]+)/[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)
_MANIFESTS = ", ".join(
    [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
)
_TIMEOUT = 60  # seconds for one request


@dataclasses.dataclass(frozen=True)
class ImageName:
    """An image of Artifact Registry.

    Attributes:
        host: host, such as us-central1-docker.pkg.dev.
        location: location, such as us-central1, us or europe.
        repository: projects/<project>/locations/<location>/repositories/<name>.
        path: <project>/<repository>/<name>.
        reference: its digest or tag.
    """

    host: str
    location: str
    repository: str
    path: str
    reference: str

    @classmethod
    def parse(cls, image: str) -> ImageName | None:
        """The parts of the name; None if the image is in another registry."""
        found = _IMAGE.fullmatch(image)
        if not found:
            return None
        repository = f"projects/{found['project']}/locations/{found['location']}/repositories/{found['repo']}"
        reference = found["digest"] or found["tag"] or "latest"
        return cls(found["host"], found["location"], repository, found["path"], reference)


@dataclasses.dataclass(frozen=True)
class ImageContent:
    """What an image's labels say; None for a missing label.

    Attributes:
        python: version of Python, such as 3.13.
        beam: version of Apache Beam.
        revision: the commit.
    """

    python: str | None
    beam: str | None
    revision: str | None

    def __str__(self) -> str:
        """One line for messages."""
        return f"Python {self.python or '?'}, Beam {self.beam or '?'}, revision {self.revision or '?'}"


def check_images(case: Case) -> Iterator[Finding]:
    """Checks that the images exist, and that both have the same Python and Beam."""
    found = {}
    for key, image in case.images.items():
        name = ImageName.parse(image)
        if name is None:
            yield warning(f"{key} {image} was not checked: it is not in Artifact Registry (*-docker.pkg.dev)")
            continue
        content = _look_into(case, name)
        if content is None:
            yield problem(f"{key} {image} does not exist; build and push it, or correct its name")
            continue
        found[key] = content
        if content.python and content.beam:
            yield ok(f"{key}: {content}")
        else:
            yield warning(f"{key}: {content}; it lacks the labels of the project's Dockerfile")
    if len(found) == 2:
        yield from _differences(found["image"], found["dataflow.image"])


def _differences(steps: ImageContent, workers: ImageContent) -> Iterator[Finding]:
    """Compares the versions in both images: steps start Dataflow's jobs, so they must be equal."""
    for what in ("python", "beam"):
        one, other = getattr(steps, what), getattr(workers, what)
        if one and other and one != other:
            yield problem(
                f"image has {what.capitalize()} {one}, dataflow.image has {other}; build both from the same Dockerfile"
            )
    if steps.revision != workers.revision:
        yield warning(f"image was built from revision {steps.revision}, dataflow.image from {workers.revision}")


def _look_into(case: Case, name: ImageName) -> ImageContent | None:
    """Reads an image's labels and environment; None if there is no such image."""
    manifest = _get(case, name, f"manifests/{name.reference}")
    if manifest is None:
        return None
    if "manifests" in manifest:  # an index of platforms
        platforms = {(part["platform"]["os"], part["platform"]["architecture"]): part for part in manifest["manifests"]}
        manifest = _get(case, name, f"manifests/{platforms['linux', 'amd64']['digest']}") or {}
    config = (_get(case, name, f"blobs/{manifest['config']['digest']}") or {}).get("config", {})
    labels = config.get("Labels") or {}
    environment = dict(text.partition("=")[::2] for text in config.get("Env") or ())
    python = labels.get("propensity.python") or ".".join(environment.get("PYTHON_VERSION", "").split(".")[:2])
    return ImageContent(
        python=python or None,
        beam=labels.get("propensity.apache-beam"),
        revision=labels.get("org.opencontainers.image.revision"),
    )


def _get(case: Case, name: ImageName, path: str) -> dict[str, Any] | None:
    """A JSON document of the registry; None if there is no such document."""
    from google.api_core.exceptions import from_http_response

    base = case.clients.url(name.host).removesuffix(".googleapis.com")  # the registry has a domain of its own
    url = f"{base}/v2/{name.path}/{path}"
    response = case.clients.session.get(url, headers={"Accept": _MANIFESTS}, timeout=_TIMEOUT)
    if response.status_code == 404:
        return None
    if not response.ok:
        raise from_http_response(response)
    return response.json()
