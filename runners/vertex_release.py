"""The steps of CI between image and schedule: `python -m runners.vertex_release pin|upload --help`.

`pin` writes settings that name the images of one build, and the folder of these settings as the folder of the compiled
job. CI compiles, submits and schedules with them. `upload` copies the compiled job and its request to Cloud Storage:
`<pipeline root>/jobs/<data set>/<commit>/`. The request also goes to `<pipeline root>/jobs/<data set>/request.json`,
where the function of runners/trigger reads it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from models.config import SettingsError, read_yaml, validate_settings
from runners.vertex import errors
from runners.vertex.clients import Clients
from runners.vertex.settings import VertexSettings, load_vertex_settings

FAILED, REFUSED = 1, 2


def main(arguments: list[str] | None = None, clients: Clients | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the command line; None means sys.argv.
        clients: clients to use in place of those from the settings.

    Returns:
        The exit code: 0 for success; 1 if Cloud Storage refused; 2 if the settings or a file were refused.
    """
    args = parser().parse_args(arguments)
    try:
        return args.run(args, clients)
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED


def pinned(document: dict[str, Any], *, image: str, dataflow_image: str, output: str) -> dict[str, Any]:
    """The settings with these images and this folder for the job. Dataflow's image is set only with `dataflow`."""
    document = {**document, "image": image, "output": output}
    if document.get("dataflow"):
        document["dataflow"] = {**document["dataflow"], "image": dataflow_image}
    return document


def places(settings: VertexSettings, dataset: str, commit: str, request: Path) -> dict[str, Path]:
    """The files to upload, by object."""
    jobs = f"{settings.pipeline_root}/jobs/{dataset}"
    return {
        f"{jobs}/{commit}/pipeline.json": settings.compiled(dataset),
        f"{jobs}/{commit}/request.json": request,
        f"{jobs}/request.json": request,  # last, when everything that it refers to exists
    }


def _pin(args: argparse.Namespace, clients: Clients | None) -> int:
    document = pinned(
        read_yaml(args.settings),
        image=args.image,
        dataflow_image=args.dataflow_image,
        output=str(args.to.parent),
    )
    validate_settings(document, VertexSettings, origin=str(args.settings))
    args.to.parent.mkdir(parents=True, exist_ok=True)
    args.to.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    print(args.to)
    return 0


def _upload(args: argparse.Namespace, clients: Clients | None) -> int:
    settings = load_vertex_settings(args.settings)
    files = places(settings, args.dataset, args.commit, args.request)
    for path in files.values():
        if not path.is_file():
            raise SettingsError(f"{path}: no such file; compile the pipeline and write the request first")
    clients = clients or Clients(settings)
    try:
        for target, path in files.items():
            bucket, _, name = target.removeprefix("gs://").partition("/")
            clients.storage.bucket(bucket).blob(name).upload_from_filename(path, content_type="application/json")
            print(target)
    except errors.handled() as error:
        said = errors.describe(error, project=settings.project, region=settings.region)
        print(f"Error: {said}", file=sys.stderr)
        return FAILED
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    pin = commands.add_parser("pin", help="write settings that name the images of one build")
    pin.set_defaults(run=_pin)
    pin.add_argument("--settings", type=Path, required=True, help="the settings in the repository")
    pin.add_argument("--image", required=True, help="image of every step")
    pin.add_argument("--dataflow-image", required=True, help="image of Dataflow's workers")
    pin.add_argument("--to", type=Path, required=True, help="the file to write")
    upload = commands.add_parser("upload", help="copy the compiled job and its request to Cloud Storage")
    upload.set_defaults(run=_upload)
    upload.add_argument("--dataset", default="ga4", help="a folder below schema/")
    upload.add_argument("--settings", type=Path, required=True, help="the settings that the job was compiled with")
    upload.add_argument(
        "--request", type=Path, required=True, help="file with the output of `vertex_jobs submit --dry-run`"
    )
    upload.add_argument("--commit", required=True, help="commit of the code in the images")
    return parser


if __name__ == "__main__":
    sys.exit(main())
