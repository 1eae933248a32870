"""Brings metadata, artifacts and the serving folder into agreement before a run. Imports TFX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from models.config import SettingsError
from pipeline import serving_folder
from pipeline.adoption import create_adoption_pipeline, find_in_service
from pipeline.artifacts import PUSHED, PUSHED_DESTINATION
from pipeline.champion.current import Blessed, integer, read_blessed_models
from pipeline.fast.compat import path_utils
from pipeline.settings.dataset_folder import DatasetFolder
from runners.console import Console
from runners.local_home import LocalHome
from runners.metadata_file import models_aside, set_aside
from runners.reporting_runner import run_reporting

_PUSHER = "Pusher"


def prepare(
    home: LocalHome, pipeline: str, last: int, *, accept: bool, terminal: Console, check: Callable[[], None]
) -> tuple[str, ...]:
    """Prepares the folder of a data set for a run.

    Artifacts that the metadata does not list are moved to another folder. If one of them is the model in the serving
    folder, that model becomes the champion.

    Args:
        home: the folder.
        pipeline: the pipeline's name.
        last: the highest execution id that the metadata knows.
        accept: whether to go on if the model in production cannot be compared.
        terminal: where to report.
        check: raises an exception if the run must end.

    Returns:
        Ids of nodes that must be executed even if the cache has their outputs.

    Raises:
        SettingsError: the model in production is unknown to the metadata, or the champion's files are gone, and that is
            not accepted.
    """
    aside = set_aside(home, last)
    if aside:
        terminal.line(f"Artifacts that {home.metadata} does not list were moved to {aside}")
    store = metadata_store.MetadataStore(home.connection())
    champion = _champion(store, pipeline)
    if not _in_production(home, champion):
        model = find_in_service(home.serving, models_aside(home))
        if model:
            _adopt(home, pipeline, model, champion, terminal, check)
            champion = _champion(store, pipeline)
    if champion is None:
        _check_nothing_served(home, last, accept)
        return ()
    if _files_are_gone(champion):
        if not accept:
            raise SettingsError(_lost(home, store, champion))
        return ()
    if _in_production(home, champion):
        return ()
    terminal.line(
        f"The champion, model {champion.model.id}, is not in {home.serving}: its push failed, or the folder was "
        "changed. This run pushes it, unless a better model takes its place."
    )
    return (_PUSHER,)


def prepare_scoring(
    home: LocalHome, folder: DatasetFolder, last: int, *, terminal: Console, check: Callable[[], None]
) -> None:
    """Like `prepare`, for a run that scores with the champion.

    Raises:
        SettingsError: there is no champion, or its files are gone.
    """
    prepare(home, folder.pipeline_name, last, accept=False, terminal=terminal, check=check)
    if _champion(metadata_store.MetadataStore(home.connection()), folder.pipeline_name) is None:
        raise SettingsError(
            f"there is no champion to score with: no model of data set {folder.name} was blessed yet. Train one first: "
            f"make run DATASET={folder.name}"
        )


def _champion(store: metadata_store.MetadataStore, pipeline: str) -> Blessed | None:
    blessed = read_blessed_models(store, pipeline)
    return blessed[max(blessed)] if blessed else None


def _in_production(home: LocalHome, champion: Blessed | None) -> bool:
    return champion is not None and serving_folder.holds(
        home.serving, path_utils.serving_model_path(champion.model.uri)
    )


def _adopt(
    home: LocalHome,
    pipeline: str,
    model: Path,
    champion: Blessed | None,
    terminal: Console,
    check: Callable[[], None],
) -> None:
    failure = run_reporting(
        create_adoption_pipeline(
            name=pipeline,
            root=home.artifacts,
            model=model,
            previous=str(champion.model.id) if champion else "",
            metadata_connection_config=home.connection(),
        ),
        terminal,
        output=home.folder,
        check=check,
    )
    if failure:
        raise SettingsError(f"the model in {home.serving} could not be adopted as the champion: {failure}")
    terminal.line(f"Adopted as the champion: the model in {serving_folder.newest(home.serving)}, from {model}")


def _check_nothing_served(home: LocalHome, last: int, accept: bool) -> None:
    version = serving_folder.newest(home.serving)
    if last == 0 and version and not accept:
        raise SettingsError(
            f"{version} is in production, but {home.metadata} does not know it, and no artifact of it was found below "
            f"{home.folder}. A new model would replace it without a comparison. Restore the metadata file, or pass "
            "--accept-incompatible-champion to judge the next model as a first one."
        )


def _files_are_gone(champion: Blessed) -> bool:
    saved_model = Path(path_utils.serving_model_path(champion.model.uri), serving_folder.SAVED_MODEL)
    return not saved_model.is_file()


def _lost(home: LocalHome, store: metadata_store.MetadataStore, champion: Blessed) -> str:
    copy = _newest_push(store, champion)
    there = f"Its copy in {copy} is still in production. " if copy else ""
    return (
        f"the files of the champion, model {champion.model.id}, are gone: {champion.model.uri}. {there}Restore that "
        "folder from a backup, or pass --accept-incompatible-champion to judge the next model as a first one; the "
        "verdict records it."
    )


def _newest_push(store: metadata_store.MetadataStore, champion: Blessed) -> str | None:
    """Where the champion was pushed to, if the folder is there."""
    pushes = [
        artifact
        for artifact in store.get_artifacts_by_type("PushedModel")
        if integer(artifact, PUSHED) == 1 and artifact.id > champion.model.id
    ]
    newest: metadata_store_pb2.Artifact | None = max(pushes, key=lambda artifact: artifact.id, default=None)
    folder = newest.custom_properties[PUSHED_DESTINATION].string_value if newest else ""
    return folder if folder and Path(folder, serving_folder.SAVED_MODEL).is_file() else None
