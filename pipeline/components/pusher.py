"""Pusher: makes sure that the serving folder holds the champion.

TFX's Pusher pushes a model once, in the run that blesses it. If that push fails, the model stays blessed. The resolver
of the next run finds it as the champion, the gate finds nothing new, and the champion never reaches production.

This Pusher compares states instead. The blessed challenger should be in production or, without one, the champion. If
the highest version of the serving folder is another model, the Pusher pushes the right one. So the next run repeats a
failed push, whatever its own verdict is; the same holds for a rollback's push. The design needs no metadata store, so
it works the same on Vertex AI, whose resolvers only know the latest blessed model and the latest artifact. It does not
change blessings, so the champion of earlier runs still resolves. The alternative is to bless only pushed models. That
would need another artifact type for the gate's decision, and a resolver that Vertex AI does not have.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.pusher import executor as pusher_executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.utils import io_utils

from pipeline import serving_folder
from pipeline.artifacts import PUSHED, PUSHED_CHAMPION, PUSHED_DESTINATION, PUSHED_VERSION
from pipeline.components import specification
from pipeline.fast.compat import path_utils, proto_utils

CHAMPION_KEY = "champion"

_log = logging.getLogger("propensity")


class PushError(RuntimeError):
    """The serving folder cannot be written; the message names it and says why.

    Attributes:
        filename: the serving folder.
    """

    def __init__(self, folder: str, reason: str):
        """Takes the folder and the reason."""
        super().__init__(f"{folder} cannot be written: {reason}. The next run pushes the model.")
        self.filename = folder


class Executor(pusher_executor.Executor):
    """Pushes the challenger if it is blessed, and the champion if it is not in the serving folder."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the version, and a copy of it to the PushedModel.

        Args:
            input_dict: Pusher's inputs.
            output_dict: `pushed_model`: one PushedModel.
            exec_properties: Pusher's parameters.

        Raises:
            PushError: the serving folder cannot be written.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        folder = _base_directory(exec_properties)
        blessed = self.CheckBlessing(input_dict)
        model = self.GetModelPath(input_dict) if blessed else _champion(input_dict)
        try:
            # A blessed challenger may be there already if an earlier attempt was cut off after its push.
            held = model is not None and serving_folder.holds(folder, model)
            if model is None or (held and not blessed):
                pushed.set_int_custom_property(PUSHED, 0)
                return
            io_utils.copy_dir(model, pushed.uri)
            version = serving_folder.newest(folder) if held else serving_folder.push(folder, model)
        except (OSError, tf.errors.OpError) as error:
            raise PushError(folder, _reason(error)) from error
        if not blessed:
            _log.warning("the champion was not in %s, so it was pushed to %s", folder, version)
        pushed.set_int_custom_property(PUSHED, 1)
        pushed.set_string_custom_property(PUSHED_DESTINATION, version)
        pushed.set_string_custom_property(PUSHED_VERSION, os.path.basename(version))
        pushed.set_int_custom_property(PUSHED_CHAMPION, int(not blessed))


def _base_directory(exec_properties: dict[str, Any]) -> str:
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
    return destination.filesystem.base_directory


def _champion(input_dict: dict[str, list[types.Artifact]]) -> str | None:
    """The champion's SavedModel; None without a champion, or if its files are gone."""
    champions = input_dict.get(CHAMPION_KEY) or []
    if not champions:
        return None
    model = path_utils.serving_model_path(champions[0].uri)
    if fileio.exists(os.path.join(model, serving_folder.SAVED_MODEL)):
        return model
    _log.warning("the champion's files are gone (%s), so whether it is in production was not checked", model)
    return None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)


class Pusher(
    specification.Component,
    executor=Executor,
    extends=standard_component_specs.PusherSpec,
    inputs={CHAMPION_KEY: specification.optional(standard_artifacts.Model)},
):
    """Makes sure that the serving folder holds the champion.

    Inputs:
        model: the challenger.
        model_blessing: its ModelBlessing.
        infra_blessing: its InfraBlessing; optional.
        champion: the latest blessed Model before this run; it may resolve to nothing.

    Outputs:
        pushed_model: PushedModel.
    """

    def __init__(self, *, serving: str, **inputs: types.BaseChannel):
        """Builds the component from its inputs and the serving folder."""
        filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=serving)
        super().__init__(push_destination=pusher_pb2.PushDestination(filesystem=filesystem), **inputs)
