"""Failures as a campaign would store them, found by exploring, for tests of their life."""

import json
from datetime import UTC, datetime
from functools import cache

from model.explore import Explorer
from model.language import ProgramSource
from model.minimize import Minimal, minimize
from model.minimized import described
from model.program import Program
from model.program_json import to_json
from model.schedule import picks_json
from storage.campaigns import CampaignPlan, finish_campaign, start_campaign
from storage.failures import SightingRecord, record_sighting
from storage.minimal_failures import failure_record
from storage.programs import ProgramRecord, record_program
from storage.session import Database
from storage.sources import text_of
from storage.tables import CampaignState

NOW = datetime(2011, 8, 19, 7, 48, 59, tzinfo=UTC)


def store_failures(database: Database, source: ProgramSource, **parameters: object) -> list[int]:
    """The numbers of all failures of a small program, in the order of their signatures."""
    program, minimal = found(source, tuple(sorted(parameters.items())))
    with database.write() as session:
        record_program(session, program_record(program, source), now=NOW)
        plan = CampaignPlan(program.hash, "uniform_walk", 1, "1", "{}")
        campaign = start_campaign(session, plan, now=NOW)
        numbers = []
        for lane, each in enumerate(minimal):
            row = failure_record(
                described(each.trace, proof=each.proof, states=each.states),
                ir_hash=program.hash,
                ordinal=lane,
            )
            picks = picks_json(each.trace.schedule)
            sighting = SightingRecord(campaign, program.hash, 0, lane, each.steps, picks)
            numbers.append(record_sighting(session, row, sighting, now=NOW).failure_id)
        finish_campaign(session, campaign, CampaignState.FINISHED, ending="done", now=NOW)
    return numbers


@cache
def found(
    source: ProgramSource, parameters: tuple[tuple[str, object], ...] = ()
) -> tuple[Program, tuple[Minimal, ...]]:
    """A small program, and the minimal interleaving of each of its signatures."""
    program = source.compile(**dict(parameters))
    explorer = Explorer(program)
    while explorer.advance():
        pass
    signatures = sorted(explorer.explored().signatures)
    return program, tuple(minimize(program, explorer.trace_of(each)) for each in signatures)


def program_record(program: Program, source: ProgramSource) -> ProgramRecord:
    """The row of a program."""
    parameters = json.dumps(dict(program.parameters))
    return ProgramRecord(program.hash, program.name, parameters, to_json(program), text_of(source))
