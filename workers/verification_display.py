"""What a person sees of a verification, and the JSON object at its end.

No time of arrival is made up: how many states are left nobody knows before the last one. What can
be said is how the frontier has grown or shrunk, and how many states the memory holds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from model.explore import Explored
from model.program import Program, show_parameter
from model.signature import site_name
from storage.locations import option_for, without_secrets
from storage.verifications import VerificationPlan
from workers.display import amount, duration, failure_line, last_lines
from workers.progress import Ending, FoundFailure, Verdict
from workers.report import failure_object
from workers.verification import Reach, VerificationReport

# Below this part of the largest frontier so far, it is called shrinking.
SHRUNK = 0.9
UNITS = "KMGT"


@dataclass(slots=True)
class Frontier:
    """How the frontier has changed from layer to layer, as far as it was looked at."""

    peak: int = 0
    peak_depth: int = 0
    _first: tuple[int, int] = (0, 0)
    _last: tuple[int, int] = (0, 0)

    def note(self, *, depth: int, frontier: int) -> None:
        """Look at it once more."""
        if frontier > self.peak:
            self.peak, self.peak_depth = frontier, depth
        if depth != self._last[0]:
            self._first = self._last
        self._last = (depth, frontier)

    @property
    def sentence(self) -> str:
        """`growing, x 1.21 a layer`, `shrinking since layer 20, where it was 300 k`."""
        (depth, before), (now_depth, now) = self._first, self._last
        if now < SHRUNK * self.peak:
            return f"shrinking since layer {self.peak_depth}, where it was {amount(self.peak)}"
        if not before or now <= before:
            return "growing"
        return f"growing, x {(now / before) ** (1 / (now_depth - depth)):.2f} a layer"


@dataclass(frozen=True, slots=True)
class VerificationTitle:
    """What does not change during a verification."""

    program: Program
    plan: VerificationPlan

    @property
    def line(self) -> str:
        """Program, parameters, and how it is explored."""
        given = "".join(f"  {k}={show_parameter(v)}" for k, v in self.program.parameters)
        return (
            f"gracefuzz {version('gracefuzz')}   {self.program.name}{given}     {mode(self.plan)}"
        )


def lines_of(
    title: VerificationTitle,
    reach: Reach,
    trend: Frontier,
    failures: Mapping[int, FoundFailure],
    *,
    seconds: float,
) -> list[str]:
    """The screen, without colours: title, amount of work, frontier, memory, failures."""
    bound = title.plan.memory_bytes
    holds = bound * reach.states // max(1, reach.used_bytes)
    return [
        *work_lines(title, reach, seconds=seconds),
        f"  frontier    {amount(reach.frontier)} states in layer {reach.depth}, {trend.sentence}",
        f"  memory      {size(reach.used_bytes)} of {size(bound)}, "
        f"{100 * reach.used_bytes / bound:.0f} %: holds about {amount(holds)} states",
        *failure_lines(failures),
    ]


def work_lines(title: VerificationTitle, reach: Reach, *, seconds: float) -> list[str]:
    """Title and amount of work."""
    begun = reach.begun_states
    resumed = f", {amount(begun)} of them before" if begun > 1 else ""
    return [
        title.line,
        f"  {amount(reach.states)} states{resumed}   {amount(reach.transitions)} transitions   "
        f"{duration(seconds)}   {amount(reach.states_per_second)} states/s",
    ]


def failure_lines(failures: Mapping[int, FoundFailure]) -> list[str]:
    """A line a failure, below an empty one."""
    return ["", *(failure_line(failures[n]) for n in sorted(failures))] if failures else []


def conclusion_lines(
    title: VerificationTitle, report: VerificationReport, *, database: str
) -> list[str]:
    """The last screen: what was explored, what came of it, what to do next."""
    explored, reach = report.explored, report.reach
    number, option = report.campaign_id, option_for(database)
    lines = work_lines(title, reach, seconds=report.seconds)
    lines += [
        f"  depth       {explored.depth} layers, {explored.frontier:,} states not stepped",
        f"  memory      {size(reach.used_bytes)} of {size(title.plan.memory_bytes)}",
        f"  verdict     {verdict_sentence(title.program, explored)}",
        *failure_lines(report.failures),
    ]
    if report.failures:
        lines += last_lines(report.failures, database=database)
    if report.checkpoint is not None:
        full = report.ending is Ending.MEMORY_FULL and not title.plan.bitstate
        larger = f" --memory {given_size(2 * title.plan.memory_bytes)}" if full else ""
        lines += ["", f"go on with: gracefuzz verify --resume {number}{larger}{option}"]
    return [*lines, f"campaign {number}: {report.ending.value}"]


def verdict_sentence(program: Program, explored: Explored) -> str:
    """What may be concluded, and what not."""
    if explored.sites:
        oracles = "oracle" if len(explored.sites) == 1 else "oracles"
        part = "" if explored.exhausted else "; not every state was seen"
        return f"refuted: {len(explored.sites)} {oracles} violated{part}"
    if not explored.exact:
        share = f"about {100 * explored.coverage:.2f} % of those met were told apart"
        return f"bounded, {explored.states:,} states ({share}): nothing is proved"
    if not explored.exhausted:
        return f"bounded, {explored.states:,} states: nothing is proved"
    kept = ", up to symmetry" if explored.reduced else ""
    assumed = "; executions discarded by assume() are left out" if explored.discarded else ""
    return f"proved: no oracle of {program.name} is violated in any reachable state{kept}{assumed}"


def report_json(
    title: VerificationTitle, report: VerificationReport, *, verdict: Verdict, database: str
) -> str:
    """What `gracefuzz verify --json` prints. Counts are text: they may pass 2^53."""
    explored, program = report.explored, title.program
    sites: dict[str, int] = {}
    for site, steps in sorted(explored.sites.items()):
        name = site_name(program, site)
        sites[name] = min(steps, sites.get(name, steps))
    return json.dumps(
        {
            "campaign": report.campaign_id,
            "kind": "verify",
            "database": without_secrets(database),
            "program": program.name,
            "parameters": dict(program.parameters),
            "ir_hash": program.hash,
            "verdict": explored.verdict.value,
            "exit_code": int(verdict),
            "ending": report.ending.value,
            "seconds": round(report.seconds, 3),
            "states_per_second": round(report.reach.states_per_second),
            "states": str(explored.states),
            "transitions": str(explored.transitions),
            "frontier": str(explored.frontier),
            "depth": explored.depth,
            "exhausted": explored.exhausted and explored.exact,
            "told_apart": explored.coverage,
            "reduced": explored.reduced,
            "discarded": explored.discarded,
            "symmetry": title.plan.symmetry,
            "bitstate": title.plan.bitstate,
            "memory_bytes": str(title.plan.memory_bytes),
            "used_bytes": str(report.reach.used_bytes),
            "sites": sites,
            "failures": [failure_object(report.failures[n]) for n in sorted(report.failures)],
            "checkpoint": None if report.checkpoint is None else str(report.checkpoint),
        },
        indent=2,
    )


def mode(plan: VerificationPlan) -> str:
    """How the states are explored, in words."""
    words = ["every state, breadth first"]
    words += ["symmetric states as one"] * plan.symmetry
    words += ["a few bits a state"] * plan.bitstate
    return ", ".join(words)


def size(count: int) -> str:
    """Bytes in binary units: `1.5 GiB`."""
    number, power = float(count), 0
    while number >= 1023.95 and power < len(UNITS):
        number /= 1024
        power += 1
    return f"{number:.1f} {UNITS[power - 1]}iB" if power else f"{count} bytes"


def given_size(count: int) -> str:
    """Bytes as a person would give them on the command line: `16G`."""
    power = max(k for k in range(len(UNITS) + 1) if count % (1 << 10 * k) == 0)
    return f"{count >> 10 * power}{' KMGT'[power].strip()}"
