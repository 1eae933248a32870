"""Teaches bqemulator 1.4.0 what it lacks of load jobs: partition decorators, and the ids that clients give to uploads.

Stock, it takes `table$20260105` for a table of that name, WRITE_TRUNCATE for the whole table, and gives each upload an
id of its own. Runs in the emulator's own environment.
"""

import dataclasses

from bqemulator.api.routes import upload
from bqemulator.domain.errors import AlreadyExistsError, InvalidQueryError
from bqemulator.jobs import executor

PARTITION = "partition"  # in a job's configuration: YYYYMMDD


def install():
    """Replaces the functions of the emulator."""
    parse, truncate = executor._parse_load_job_config, executor._apply_load_write_disposition
    configuration_of, run_load = upload._load_configuration_from_envelope, upload._run_load

    def parse_with_partition(project_id, config):
        block = config.get("load", {})
        target = block.get("destinationTable", {})
        name, _, partition = target.get("tableId", "").partition("$")
        block = {**block, "destinationTable": {**target, "tableId": name}}
        job = parse(project_id, {**config, "load": block})
        return dataclasses.replace(job, raw_config={**job.raw_config, PARTITION: partition})

    def truncate_partition(job, ctx):
        if not job.raw_config[PARTITION] or job.write_disposition != "WRITE_TRUNCATE":
            truncate(job, ctx)
            return
        for uri in job.source_uris:  # before anything is deleted: a job that fails changes nothing
            rows = f"SELECT count(*) FROM read_parquet(?) WHERE NOT {in_partition(job, ctx)}"
            if ctx.engine.execute(rows, [executor._resolve_uri(uri, ctx)]).fetchone()[0]:
                raise InvalidQueryError("Some rows belong to different partitions rather than destination partition")
        ctx.engine.execute(f"DELETE FROM {job.target_ref} WHERE {in_partition(job, ctx)}")

    def configuration_with_id(envelope):
        configuration = configuration_of(envelope)
        return {**configuration, "jobId": envelope.get("jobReference", {}).get("jobId")}

    async def run_with_id(*, project_id, configuration, media_path, ctx):
        wanted = configuration.pop("jobId") or upload._new_job_id()
        if ctx.catalog.get_job(project_id, wanted) is not None:
            raise AlreadyExistsError(f"Already Exists: Job {project_id}:{wanted}")
        new_job_id, upload._new_job_id = upload._new_job_id, lambda: wanted
        try:
            return await run_load(project_id=project_id, configuration=configuration, media_path=media_path, ctx=ctx)
        finally:
            upload._new_job_id = new_job_id

    executor._parse_load_job_config = parse_with_partition
    executor._apply_load_write_disposition = truncate_partition
    upload._load_configuration_from_envelope = configuration_with_id
    upload._run_load = run_with_id


def in_partition(job, ctx):
    """SQL: whether a row is of the partition that the job names."""
    table = ctx.catalog.get_table(job.project_id, job.dataset_id, job.table_id)
    day = job.raw_config[PARTITION]
    return f"\"{table.time_partitioning.field}\" = DATE '{day[:4]}-{day[4:6]}-{day[6:]}'"
