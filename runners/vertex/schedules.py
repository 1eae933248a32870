"""Creates, changes, pauses, resumes and deletes the schedule of a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.config import SettingsError
from runners.vertex.clients import Clients, call_options
from runners.vertex.kinds import TRAINING, PipelineKind
from runners.vertex.requests import update_schedule

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1


def find_all(clients: Clients, pipeline: str) -> list[aiplatform_v1.Schedule]:
    """The schedules that have the pipeline's name."""
    request = {"parent": clients.parent, "filter": f'display_name="{pipeline}"'}
    return list(clients.schedules.list_schedules(request, **call_options()))


def find(clients: Clients, pipeline: str) -> aiplatform_v1.Schedule | None:
    """The schedule of the pipeline, or None. Raises SettingsError if there are several."""
    found = find_all(clients, pipeline)
    if len(found) > 1:
        names = ", ".join(schedule.name for schedule in found)
        raise SettingsError(
            f"{len(found)} schedules are called '{pipeline}': {names}; delete all but one (`schedule delete --id <id>`)"
        )
    return found[0] if found else None


def apply(clients: Clients, request: aiplatform_v1.CreateScheduleRequest, kind: PipelineKind = TRAINING) -> str:
    """Creates the schedule, or changes what differs. Returns a line that says what was done.

    Raises:
        SettingsError: there are several schedules, or the service does not support the change.
        GoogleAPICallError: the service refused.
    """
    existing = find(clients, request.schedule.display_name)
    if existing is None:
        # Without a retry: the service would create a second schedule.
        made = clients.schedules.create_schedule(request, timeout=call_options()["timeout"])
        return f"created {describe(made)}"
    change = update_schedule(existing, request.schedule, kind)
    if change.request is None:
        return f"unchanged: {describe(existing)}"
    updated = clients.schedules.update_schedule(change.request, **call_options())
    return f"updated {', '.join(change.fields)}: {describe(updated)}"


def pause(clients: Clients, pipeline: str) -> str:
    """Starts no further run. Returns a line that says so. Raises SettingsError if there is no schedule."""
    schedule = _required(clients, pipeline)
    if schedule.state.name == "PAUSED":
        return f"unchanged: {describe(schedule)}"
    clients.schedules.pause_schedule(name=schedule.name, **call_options())
    return f"paused {schedule.name}; runs that have started continue"


def resume(clients: Clients, pipeline: str) -> str:
    """Resumes the schedule. Returns a line that says so. Raises SettingsError if there is no schedule."""
    schedule = _required(clients, pipeline)
    if schedule.state.name == "ACTIVE":
        return f"unchanged: {describe(schedule)}"
    clients.schedules.resume_schedule(name=schedule.name, **call_options())
    return f"resumed {schedule.name}; missed runs are not made up for"


def delete(clients: Clients, pipeline: str, schedule_id: str | None = None) -> str:
    """Deletes the schedule; if several have its name, the one with the id. Runs that have started continue.

    Raises:
        SettingsError: there is no such schedule, or there are several and no id was given.
    """
    if schedule_id is None:
        name = _required(clients, pipeline).name
    else:
        name = f"{clients.parent}/schedules/{schedule_id}"
        if name not in {_with_project(clients, schedule.name) for schedule in find_all(clients, pipeline)}:
            raise SettingsError(f"'{pipeline}' has no schedule {schedule_id}; run `schedule list`")
    remove(clients, name)
    return f"deleted {name}"


def remove(clients: Clients, name: str) -> None:
    """Deletes a schedule by its resource name."""
    clients.finish(clients.schedules.delete_schedule(name=name, **call_options()))


def describe(schedule: aiplatform_v1.Schedule) -> str:
    """One line about a schedule."""
    parts = [schedule.name, schedule.state.name, schedule.cron]
    if schedule.next_run_time:
        parts.append(f"next run {schedule.next_run_time:%Y-%m-%dT%H:%M:%SZ}")
    if schedule.end_time:
        parts.append(f"until {schedule.end_time:%Y-%m-%dT%H:%M:%SZ}")
    if schedule.last_scheduled_run_response.run_response:
        parts.append(f"last: {schedule.last_scheduled_run_response.run_response}")
    return ", ".join(parts)


def _required(clients: Clients, pipeline: str) -> aiplatform_v1.Schedule:
    schedule = find(clients, pipeline)
    if schedule is None:
        raise SettingsError(
            f"'{pipeline}' has no schedule in {clients.project}, {clients.region}; `schedule apply` creates it"
        )
    return schedule


def _with_project(clients: Clients, name: str) -> str:
    """A resource name with the project's id in place of its number, which the service returns."""
    return f"{clients.parent}/{'/'.join(name.split('/')[4:])}"
