"""Failures for a person to read, and for a script."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from model.program import show_parameter
from model.schedulers.named import as_option
from service.reading import columns, option_for, pretty
from storage.campaigns import HINT, CampaignSummary, get_campaign
from storage.failures import FailureSummary, StoredFailure, get_failure
from storage.portfolio import scheduler_of_block
from storage.programs import ProgramRecord, get_program
from storage.session import Database
from storage.sources import library
from storage.tables import CampaignKind

FINGERPRINT_SHOWN = 8
DOCUMENT_VERSION = 1


@dataclass(frozen=True, slots=True)
class LoadedFailure:
    """A failure with the program, the campaign and the scheduler that showed it first."""

    failure: StoredFailure
    program: ProgramRecord
    campaign: CampaignSummary
    scheduler: str


def load_failure(database: Database, failure_id: int) -> LoadedFailure:
    """Read a failure and what belongs to it. Raises UnknownFailure."""
    with database.read() as session:
        failure = get_failure(session, failure_id)
        campaign = get_campaign(session, failure.first_campaign_id)
        scheduler = scheduler_of_block(
            session,
            campaign.campaign_id,
            failure.first_block,
            otherwise=campaign.plan.scheduler,
        )
        program = get_program(session, failure.record.ir_hash)
        return LoadedFailure(failure, program, campaign, scheduler)


def failures_lines(found: Sequence[FailureSummary], *, database: str) -> list[str]:
    """One line a failure."""
    if not found:
        return [f"no failure is stored in {database}"]
    head = ("#", "program", "status", "steps", "preempt.", "sightings", "last seen", "oracle")
    rows = [
        (
            str(each.failure_id),
            each.program_name,
            each.status.value,
            str(each.steps),
            str(each.preemptions),
            str(each.sightings_count),
            f"{each.last_seen_at:%Y-%m-%d %H:%M}",
            f"{each.oracle}: {each.sentence}",
        )
        for each in found
    ]
    newest = found[0].failure_id
    see = f"gracefuzz failures show {newest}{option_for(database)}"
    return [*columns([head, *rows], right=frozenset({0, 3, 4, 5})), "", f"see one:  {see}"]


def failures_json(found: Sequence[FailureSummary]) -> str:
    """The same as a list."""
    return pretty([summary_object(each) for each in found])


def summary_object(each: FailureSummary) -> dict[str, object]:
    """A failure in a list."""
    return {
        "failure": each.failure_id,
        "program": each.program_name,
        "status": each.status.value,
        "fingerprint": each.fingerprint,
        "oracle": each.oracle,
        "sentence": each.sentence,
        "step": each.step_label,
        "preemptions": each.preemptions,
        "switches": each.switches,
        "threads": each.threads,
        "steps": each.steps,
        "sightings": each.sightings_count,
        "first_seen_at": each.first_seen_at.isoformat(),
        "last_seen_at": each.last_seen_at.isoformat(),
    }


def failure_lines(loaded: LoadedFailure, *, database: str) -> list[str]:
    """Head, columns, and what to do with it."""
    failure, record = loaded.failure, loaded.failure.record
    option = option_for(database)
    number = failure.failure_id
    return [
        f"failure {number}   {title_of(loaded)}   "
        f"fingerprint {record.fingerprint[:FINGERPRINT_SHOWN]}",
        f"oracle      {record.oracle}: {record.sentence}",
        f"at step     {record.step_label}",
        f"status      {_status(failure)}",
        f"minimal     {counted(record.steps, 'step')}, "
        f"{counted(record.preemptions, 'preemption')}, "
        f"{counted(record.switches, 'context switch')}, {counted(record.threads, 'thread')}; "
        f"{proof_sentence(record.proof)}",
        f"first seen  {failure.first_seen_at:%Y-%m-%d %H:%M} {origin_of(loaded)}; "
        f"{failure.sightings_count:,} sightings recorded",
        "",
        record.diagram.rstrip("\n"),
        "",
        f"replay      gracefuzz failures replay {number} --step{option}",
        f"reproduce   {reproducing_command(loaded)}",
    ]


def failure_json(loaded: LoadedFailure) -> str:
    """The same as an object."""
    return pretty(failure_object(loaded))


def failure_object(loaded: LoadedFailure) -> dict[str, object]:
    """All that is known of a failure; counts that may pass 2^53 are text."""
    failure, record = loaded.failure, loaded.failure.record
    return {
        "failure": failure.failure_id,
        "program": record.program_name,
        "parameters": json.loads(loaded.program.parameters),
        "ir_hash": record.ir_hash,
        "status": failure.status.value,
        "duplicate_of": failure.duplicate_of,
        "verdict": failure.verdict,
        "checked_at": None if failure.checked_at is None else failure.checked_at.isoformat(),
        "fingerprint": record.fingerprint,
        "oracle": record.oracle,
        "sentence": record.sentence,
        "step": record.step_label,
        "preemptions": record.preemptions,
        "switches": record.switches,
        "threads": record.threads,
        "steps": record.steps,
        "proof": json.loads(record.proof),
        "schedule": json.loads(record.schedule),
        "interleaving": json.loads(record.interleaving),
        "diagram": record.diagram,
        "sightings": failure.sightings_count,
        "origin": loaded.campaign.plan.kind.value,
        "first_campaign": failure.first_campaign_id,
        "first_block": str(failure.first_block),
        "first_lane": failure.first_lane,
        "first_schedule_ordinal": str(record.first_schedule_ordinal),
        "first_seen_at": failure.first_seen_at.isoformat(),
        "last_seen_at": failure.last_seen_at.isoformat(),
        "reproduce": reproducing_command(loaded),
    }


def failures_document(failures: Sequence[LoadedFailure]) -> str:
    """What `failures export` writes as JSON: a version, and each failure with its IR hash."""
    return pretty(
        {
            "format": "gracefuzz-failures",
            "version": DOCUMENT_VERSION,
            "failures": [failure_object(each) for each in failures],
        }
    )


def _status(failure: StoredFailure) -> str:
    """The status, and what the last recheck said."""
    of = "" if failure.duplicate_of is None else f" of failure {failure.duplicate_of}"
    asked = ""
    if failure.checked_at is not None:
        asked = f"; {failure.verdict} when asked {failure.checked_at:%Y-%m-%d %H:%M}"
    return f"{failure.status.value}{of}{asked}"


def counted(count: int, word: str) -> str:
    """`1 step`, `2 switches`."""
    plural = "" if count == 1 else "es" if word.endswith("ch") else "s"
    return f"{count} {word}{plural}"


def title_of(loaded: LoadedFailure) -> str:
    """`thp_split (gp_cookie=off, lookups=1)`."""
    parameters = json.loads(loaded.program.parameters)
    shown = ", ".join(f"{name}={show_parameter(value)}" for name, value in parameters.items())
    return f"{loaded.program.name} ({shown})" if shown else loaded.program.name


def proof_sentence(proof: str) -> str:
    """What is proved of the minimal interleaving, and what is not."""
    levels = json.loads(proof)
    open_criteria = [f"{name}: {level}" for name, level in levels.items() if level != "proved"]
    if not open_criteria:
        return "proved: nothing smaller fails this way"
    return "; ".join(open_criteria)


def origin_of(loaded: LoadedFailure) -> str:
    """What showed the failure first."""
    number = loaded.failure.first_campaign_id
    if loaded.campaign.plan.kind is CampaignKind.VERIFY:
        return f"by the verification that is campaign {number}"
    if loaded.campaign.plan.scheduler == HINT:
        return f"by the hint that is campaign {number}"
    return f"in schedule {loaded.failure.record.first_schedule_ordinal:,} of campaign {number}"


def reproducing_command(loaded: LoadedFailure) -> str:
    """The command that explores again, or executes the block again in which it was first shown.

    Where the author's file is, the database does not know.
    """
    parameters = json.loads(loaded.program.parameters)
    options = "".join(f" --param {k}={show_parameter(v)}" for k, v in parameters.items())
    name = (
        loaded.program.name
        if loaded.program.name in library()
        else f"FILE.py:{loaded.program.name}"
    )
    if loaded.campaign.plan.kind is CampaignKind.VERIFY or loaded.campaign.plan.scheduler == HINT:
        return f"gracefuzz verify {name}{options}"
    return (
        f"gracefuzz fuzz {name}{options}{as_option(loaded.scheduler)} "
        f"--seed {loaded.campaign.plan.root_seed} "
        f"--block {loaded.failure.first_block}"
    )
