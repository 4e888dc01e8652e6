"""The end of a job whose record is damaged."""

from msgspec.structs import replace

from shared.messages import Job, JobRecord, record_of
from shared.transitions import failed

REASON = "The record of this job was damaged, and the job cannot go on. Send it again."


def failed_by_damage(record: JobRecord) -> JobRecord:
    """The failure of a job of which this state was known, whatever is wrong with that."""
    sound = replace(record, suspect=False, waits=False, source=None, audio=None, outputs=())
    return failed(sound, REASON)


def failed_from_message(job: Job) -> JobRecord:
    """The failure of a job of which only the message is known."""
    # One claim, because an earlier attempt may have stored files.
    return failed_by_damage(replace(record_of(job), claims=1))
