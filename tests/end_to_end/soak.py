"""A coordinator at work for long: memory flat, no lease left, canaries found; figures as JSON.

    python -m tests.end_to_end.soak [SECONDS] [WORKERS]

One campaign finds nothing and never ends. Beside it, a canary is queued again and again: a small
program with a known race, under another seed each time, that must be found each time and be one
failure. Memory is that of the coordinator and all processes below it.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from model.program_json import to_json
from storage.campaigns import (
    QUEUED,
    CampaignLimits,
    CampaignPlan,
    campaign_totals,
    get_campaign,
)
from storage.failures import list_failures
from storage.leases import blocks_not_done
from storage.programs import ProgramRecord, record_program
from storage.session import Database, open_database
from storage.sources import compile_source, find_source
from storage.steering import queue_campaign
from storage.tables import CampaignState

ROOT = Path(__file__).resolve().parents[2]
# A configuration in which nothing is found.
CLEAN, PARAMETERS = "thp_split", {"design": "70b50f94"}
CANARY = f"{ROOT / 'tests' / 'lost_update.py'}"
CANARIES, STARTING_SECONDS = 10, 120.0
# What the second half may add, by the slope of a line through it: in bytes, and of the memory.
GROWTH_BYTES, GROWTH_SHARE = 16 << 20, 0.03


def soak(seconds: float, workers: int) -> dict[str, object]:
    """Let a coordinator work for so long; the figures, with `wrong` as a list of sentences."""
    with (
        tempfile.TemporaryDirectory(prefix="gracefuzz-soak-") as folder,
        open_database(Path(folder) / "soak.db") as database,
    ):
        endless = queue(database, CLEAN, PARAMETERS, seed=1)
        command = [sys.executable, "-c", "from service.cli import main; main()", "workers"]
        process = subprocess.Popen(
            [*command, "--workers", str(workers), "--db", str(database.path)], cwd=ROOT
        )
        try:
            wait_for_work(database, endless, process)
            canaries, samples = watch(database, process.pid, seconds)
            wait_for_end(database, canaries)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=120)
        return figures(database, endless, canaries, samples, exit_code=code)


def watch(
    database: Database, pid: int, seconds: float
) -> tuple[list[int], list[tuple[float, int]]]:
    """Queue canaries and look at the memory until the time is over."""
    begun = time.monotonic()
    canaries: list[int] = []
    samples: list[tuple[float, int]] = []
    while (now := time.monotonic() - begun) < seconds:
        if now >= len(canaries) * seconds / CANARIES:
            number = len(canaries) + 1
            canaries.append(queue(database, CANARY, {}, seed=number, blocks_max=2))
        samples.append((now, memory_below(pid)))
        time.sleep(min(1.0, seconds / 50))
    return canaries, samples


def figures(
    database: Database,
    endless: int,
    canaries: list[int],
    samples: list[tuple[float, int]],
    *,
    exit_code: int,
) -> dict[str, object]:
    """What was seen, and what of it must not be."""
    half = np.array(samples[len(samples) // 2 :])
    slope = float(np.polyfit(half[:, 0], half[:, 1], 1)[0])
    growth = slope * float(half[-1, 0] - half[0, 0])
    with database.read() as session:
        totals = campaign_totals(session, endless)
        found = sum(campaign_totals(session, each).violations > 0 for each in canaries)
        left = sum(blocks_not_done(session, each) for each in (endless, *canaries))
        stored = len(list_failures(session))
    wrong = []
    if growth > max(GROWTH_BYTES, GROWTH_SHARE * half[:, 1].mean()):
        wrong.append(f"memory grew by {growth / (1 << 20):.1f} MiB in the second half")
    if found < len(canaries):
        wrong.append(f"{len(canaries) - found} canaries were not found")
    if stored != 1:
        wrong.append(f"{stored} failures are stored of one race")
    if left:
        wrong.append(f"leases of {left} blocks were left")
    if exit_code:
        wrong.append(f"the coordinator ended with {exit_code}")
    return {
        "seconds": round(samples[-1][0], 1),
        "schedules": str(totals.schedules),
        "blocks": str(totals.blocks_done),
        "canaries": len(canaries),
        "canaries_found": found,
        "failures_stored": stored,
        "blocks_leased_at_the_end": left,
        "memory_mib": round(float(half[:, 1].mean()) / (1 << 20), 1),
        "memory_mib_per_hour": round(slope * 3600 / (1 << 20), 2),
        "memory_growth_mib": round(growth / (1 << 20), 2),
        "wrong": wrong,
    }


def queue(
    database: Database, program: str, parameters: dict[str, str], *, seed: int, **limits: int
) -> int:
    """A campaign for the coordinator."""
    compiled, now = compile_source(find_source(program), parameters), datetime.now(UTC)
    row = ProgramRecord(compiled.hash, compiled.name, "{}", to_json(compiled), "")
    budget = json.dumps({QUEUED: True})
    plan = CampaignPlan(
        compiled.hash, "uniform_walk", seed, "1", budget, limits=CampaignLimits(**limits)
    )
    with database.write() as session:
        record_program(session, row, now=now)
        return queue_campaign(session, plan, actor="soak", now=now)


def wait_for_work(database: Database, number: int, process: subprocess.Popen[bytes]) -> None:
    """Until the first block is done: what comes before is starting."""
    until = time.monotonic() + STARTING_SECONDS
    while True:
        with database.read() as session:
            if get_campaign(session, number).blocks_done:
                return
        assert process.poll() is None, "the coordinator has ended"
        assert time.monotonic() < until, "nothing is executed"
        time.sleep(0.2)


def wait_for_end(database: Database, numbers: list[int]) -> None:
    """Until the last canary has ended, or has had long enough to."""
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until:
        with database.read() as session:
            states = {get_campaign(session, each).state for each in numbers}
        if states == {CampaignState.FINISHED}:
            return
        time.sleep(0.2)


def memory_below(pid: int) -> int:
    """The resident bytes of a process and of all below it."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True
    )
    rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    ours = {pid}
    # A child may be listed before its parent.
    for _ in range(len(rows)):
        more = {child for child, parent, _ in rows if parent in ours} - ours
        if not more:
            break
        ours |= more
    kilobytes = sum(size for number, _, size in rows if number in ours)
    return kilobytes << 10


def main() -> None:
    """Soak, print, and exit with 1 where something is wrong."""
    given = dict(enumerate(sys.argv))
    seconds, workers = float(given.get(1, "1200")), int(given.get(2, "2"))
    told = soak(seconds, workers)
    print(json.dumps(told, indent=2))
    sys.exit(1 if told["wrong"] else 0)


if __name__ == "__main__":
    main()
