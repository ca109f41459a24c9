"""`gracefuzz verify` without its options: open everything, explore, close everything."""

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from model.explore import Explorer
from model.program import Program
from model.program_json import from_json
from storage.campaigns import check_resumable, get_campaign
from storage.checkpoints import read_checkpoint
from storage.claims import claim
from storage.errors import NotResumable
from storage.programs import get_program
from storage.session import Database, open_database
from storage.sources import compile_source, find_source, text_of
from storage.verifications import StoredVerification, VerificationPlan
from workers.display import LiveScreen, failure_line, styled, watched
from workers.failing import known_in
from workers.notifying import notified
from workers.progress import FoundFailure, Verdict
from workers.recording import CampaignRecord
from workers.stopping import StopRequest
from workers.verification import Reach, Verification
from workers.verification_display import (
    Frontier,
    VerificationTitle,
    conclusion_lines,
    lines_of,
    report_json,
    size,
)
from workers.verification_record import VerificationRecord

MEMORY_BYTES = 8 << 30
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class VerifyWish:
    """What was asked for on the command line, with its units settled; None is what is usual.

    `program` may be None where `resume` names a campaign. With `only_new`, failures do not count
    that are known, to the `baseline` where there is one.
    """

    program: str | None
    parameters: Mapping[str, str]
    memory_bytes: int | None
    symmetry: bool
    bitstate: bool
    database: str
    checkpoint: str | None
    checkpoint_seconds: float
    resume: int | None
    only_new: bool
    baseline: str | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A verification that is ready to explore."""

    title: VerificationTitle
    explorer: Explorer
    record: VerificationRecord


def verify(wish: VerifyWish) -> Verdict:
    """Explore, show it, and give the exit code. Raises what program and database refuse."""
    stop = StopRequest()
    with ExitStack() as stack:
        program = None
        if wish.program is not None:
            source = find_source(wish.program)
            program = compile_source(source, wish.parameters)
        stack.enter_context(stop.listening())
        database = stack.enter_context(open_database(wish.database))
        known = known_in(database, wish.baseline)
        stack.enter_context(notified(wish.database))
        if wish.resume is None:
            assert program is not None
            begun = start(wish, database, program, source=text_of(source))
        else:
            begun = resume(wish, database, program, wish.resume)
        console = Console(stderr=True, highlight=False)
        with watched(console) as screen:
            report = Verification(
                begun.explorer,
                begun.record,
                Watcher(begun.title, screen, stop),
                lambda: stop.is_requested,
                wish.checkpoint_seconds,
            ).execute()
    verdict = report.verdict(only_new=wish.only_new, known=known)
    if wish.as_json:
        print(report_json(begun.title, report, verdict=verdict, database=wish.database))
    else:
        lines = conclusion_lines(begun.title, report, database=wish.database)
        Console(highlight=False, soft_wrap=True).print(styled(lines))
    return verdict


def machine_memory() -> int:
    """The bytes of memory that this process may have: the machine's, or its control group's."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(physical, int(CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return physical


def start(wish: VerifyWish, database: Database, program: Program, *, source: str) -> Begun:
    """A new verification at the initial state. Raises BadParameter for too much memory."""
    memory = checked_memory(wish.memory_bytes or min(MEMORY_BYTES, machine_memory()))
    plan = VerificationPlan(memory, wish.symmetry, wish.bitstate)
    explorer = explorer_of(program, plan)
    record = VerificationRecord.start(
        database, program, source=source, plan=plan, folder=folder_of(wish, database)
    )
    return Begun(VerificationTitle(program, plan), explorer, record)


def resume(
    wish: VerifyWish, database: Database, program: Program | None, campaign_id: int
) -> Begun:
    """A verification where its last checkpoint left it; at the initial state where it has none.

    Raises UnknownCampaign, NotResumable, CampaignBusy, CheckpointError, and BadParameter for too
    much memory.
    """
    with database.read() as session:
        check_resumable(session, campaign_id)
        ir_hash = get_campaign(session, campaign_id).plan.program_ir_hash
        stored = from_json(get_program(session, ir_hash).ir)
    if program is not None and program.hash != stored.hash:
        raise NotResumable(
            f"campaign {campaign_id} verifies another program than {wish.program} as it is now: "
            "its name, its parameters or its steps differ\n"
            f"    go on with the stored one (gracefuzz verify --resume {campaign_id}), or verify "
            "this one from the beginning"
        )
    claimed = claim(database, campaign_id)
    try:
        # Read again: until now, another process may have gone on with it.
        with database.read() as session:
            told = check_resumable(session, campaign_id)
        memory = checked_memory(wish.memory_bytes or told.plan.memory_bytes)
        explorer = resumed(stored, told, database, memory_bytes=memory)
        campaign = CampaignRecord.resume(
            database, stored, claimed, campaign_id, memory_bytes=memory
        )
    except BaseException:
        claimed.release()
        raise
    plan = VerificationPlan(explorer.memory, told.plan.symmetry, told.plan.bitstate)
    record = VerificationRecord(campaign, folder_of(wish, database), told.checkpoint)
    return Begun(VerificationTitle(stored, plan), explorer, record)


def checked_memory(memory_bytes: int) -> int:
    """A size of memory, all of which is reserved at once; raises BadParameter for too much."""
    most = machine_memory()
    if memory_bytes > most:
        raise typer.BadParameter(
            f"--memory {size(memory_bytes)} is more than the {size(most)} of this machine: "
            "give less, or --bitstate"
        )
    return memory_bytes


def explorer_of(program: Program, plan: VerificationPlan) -> Explorer:
    """An exploration that is at the initial state."""
    return Explorer(
        program, memory=plan.memory_bytes, symmetry=plan.symmetry, bitstate=plan.bitstate
    )


def resumed(
    program: Program, told: StoredVerification, database: Database, *, memory_bytes: int
) -> Explorer:
    """The exploration as its checkpoint has it. Raises CheckpointError and NotResumable."""
    if told.checkpoint is None:
        return explorer_of(program, replace(told.plan, memory_bytes=memory_bytes))
    snapshot = read_checkpoint(told.checkpoint, database=database.path)
    try:
        return Explorer.resumed(program, snapshot, memory=memory_bytes)
    except ValueError as error:
        raise NotResumable(
            f"the checkpoint cannot be resumed within {size(memory_bytes)}: {error}\n"
            "    give more with --memory"
        ) from error


def folder_of(wish: VerifyWish, database: Database) -> Path:
    """Where checkpoints go: beside the database, where nothing else is said."""
    if wish.checkpoint is not None:
        return Path(wish.checkpoint).expanduser().absolute()
    return database.path.with_name(f"{database.path.name}-checkpoints")


class Watcher:
    """Passes on what a verification says: to the screen and stderr."""

    def __init__(self, title: VerificationTitle, screen: LiveScreen, stop: StopRequest) -> None:
        self._title = title
        self._trend = Frontier()
        self._screen = screen
        self._stop = stop
        self._stop_was_said = False
        self._begun = time.monotonic()

    def progressed(self, reach: Reach, failures: Mapping[int, FoundFailure]) -> None:
        """Update the screen."""
        if self._stop.is_requested and not self._stop_was_said:
            self._stop_was_said = True
            self.said("stopping with a checkpoint; Ctrl-C again ends at once")
        self._trend.note(depth=reach.depth, frontier=reach.frontier)
        if self._screen.is_watched:
            seconds = time.monotonic() - self._begun
            self._screen.show(lines_of(self._title, reach, self._trend, failures, seconds=seconds))

    def found(self, failure: FoundFailure) -> None:
        """On a terminal the screen shows it; elsewhere a line does."""
        if not self._screen.is_watched:
            self.said(("new:" if failure.is_new else "seen:") + failure_line(failure))

    def said(self, sentence: str) -> None:
        """A message on stderr."""
        self._screen.say(sentence)
