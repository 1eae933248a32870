"""The base of all components: short specifications, complete settings, and a digest of the code.

A component names its executor, inputs, outputs and parameters once, as keywords of its class:

    class InfraCheck(
        Component,
        executor=Executor,
        inputs={"model": Model, "examples": Examples},
        outputs={"blessing": InfraBlessing},
        parameters={"settings": InfraCheckSettings},
    ):

The specification and the constructor follow from that. The constructor takes inputs and parameters by name and makes
the output channels. The executor reads settings back with `read_settings`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, base_component, base_executor, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import component_spec

from models.config import Settings, validate_settings
from pipeline import digest

DIGEST = "digest"

S = TypeVar("S", bound=Settings)


class Digested(base_component.BaseComponent):
    """Adds a digest of its code to a component's execution properties, and so to its cache key.

    Put it before a component class of TFX: `class Transform(Digested, tfx.components.Transform)`.
    """

    def __init__(self, *args: Any, **arguments: Any):
        """Passes all arguments on to the component."""
        super().__init__(*args, **arguments)
        # TFX's specifications do not know the property, but they pass it on like any other.
        self.spec.exec_properties[DIGEST] = self.code_digest()

    def code_digest(self) -> str:
        """The digest of all code that the executor can reach."""
        return digest.code_digest(self.executor_spec.executor_class.__module__, *self.modules_by_name())

    def modules_by_name(self) -> tuple[str, ...]:
        """Modules that the executor runs though it does not import them, such as that of a dotted `run_fn`."""
        return ()


class Component(Digested):
    """Base of components whose class keywords make the specification."""

    def __init_subclass__(
        cls,
        *,
        executor: type[base_executor.BaseExecutor] | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, type[types.Artifact]] | None = None,
        parameters: Mapping[str, type] | None = None,
        extends: type[types.ComponentSpec] = types.ComponentSpec,
    ):
        """Makes the specification.

        Args:
            executor: the executor's class; none for a base of other components.
            inputs: artifact types by key; `optional` marks inputs that may be left out or resolve to nothing.
            outputs: artifact types by key.
            parameters: types of execution properties by key: a class of settings, which become JSON; or str, int or
                float. A RuntimeParameter may take the place of a str, int or float.
            extends: a specification of TFX; all of these are added to it.
        """
        super().__init_subclass__()
        if executor is None:
            return
        cls.EXECUTOR_SPEC = cls._executor_spec(executor)
        added = {
            "INPUTS": {key: _channel(kind) for key, kind in (inputs or {}).items()},
            "OUTPUTS": {key: _channel(kind) for key, kind in (outputs or {}).items()},
            "PARAMETERS": {key: _parameter(kind) for key, kind in (parameters or {}).items()},
        }
        members = {name: {**getattr(extends, name, {}), **new} for name, new in added.items()}
        cls.SPEC_CLASS = type(f"{cls.__name__}Spec", (extends,), {"__module__": cls.__module__, **members})

    def __init__(self, *, custom_executor_spec: executor_spec.ExecutorSpec | None = None, **arguments: Any):
        """Builds the component.

        Args:
            custom_executor_spec: of an executor to run instead of the component's own.
            arguments: channels of the inputs, and values of the parameters.

        Raises:
            TypeError: an argument is missing or not known, or has another type than declared.
        """
        spec = self.SPEC_CLASS
        takes = {**spec.INPUTS, **spec.PARAMETERS}
        missing = sorted(key for key, kind in takes.items() if not kind.optional and key not in arguments)
        unknown = sorted(arguments.keys() - takes.keys())
        if missing or unknown:
            raise TypeError(f"{type(self).__name__}: missing arguments: {missing}; unknown ones: {unknown}")
        values = {key: _value(value) for key, value in arguments.items() if value is not None}
        outputs = {key: types.Channel(type=kind.type) for key, kind in spec.OUTPUTS.items() if not kind.optional}
        super().__init__(spec(**values, **outputs), custom_executor_spec=custom_executor_spec)

    @classmethod
    def _executor_spec(cls, executor: type[base_executor.BaseExecutor]) -> executor_spec.ExecutorSpec:
        return executor_spec.ExecutorClassSpec(executor)


class BeamComponent(Component, base_beam_component.BaseBeamComponent):
    """Base of components whose executors may start a Beam pipeline."""

    @classmethod
    def _executor_spec(cls, executor: type[base_executor.BaseExecutor]) -> executor_spec.ExecutorSpec:
        return executor_spec.BeamExecutorSpec(executor)


def optional(kind: type[types.Artifact]) -> component_spec.ChannelParameter:
    """An input that may be left out, or resolve to nothing."""
    return component_spec.ChannelParameter(type=kind, optional=True)


def read_settings(exec_properties: Mapping[str, Any], key: str, kind: type[S]) -> S:
    """The settings that a component was given, from its execution properties. Raises SettingsError."""
    return validate_settings(json.loads(exec_properties[key]), kind, origin=key)


def settings_property(settings: Settings) -> str:
    """Settings as an execution property: all of them, so that a default that changes changes the cache key."""
    return json.dumps(settings.model_dump(mode="json"), sort_keys=True)


def module_of(function: str) -> str:
    """The module in the dotted name of a function, such as a `run_fn`."""
    return function.rpartition(".")[0]


def _channel(kind: type[types.Artifact] | component_spec.ChannelParameter) -> component_spec.ChannelParameter:
    return kind if isinstance(kind, component_spec.ChannelParameter) else component_spec.ChannelParameter(type=kind)


def _parameter(kind: type) -> component_spec.ExecutionParameter:
    return component_spec.ExecutionParameter(type=str if issubclass(kind, Settings) else kind)


def _value(value: Any) -> Any:
    if isinstance(value, RuntimeParameter) or not isinstance(value, Settings):
        return value
    return settings_property(value)
