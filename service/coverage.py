"""What a campaign has covered and what is left, for a person to read and for a script."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from model.coverage import Coverage
from model.program import Program
from model.residual_risk import (
    Validity,
    classes_left,
    discovery,
    rarer_than,
    validity,
)
from model.step_pairs import BodyStep, StepPair, possible_pairs
from storage.campaigns import CampaignTotals

BARS = "▁▂▃▄▅▆▇█"
LINES_SHOWN = 30


def coverage_lines(program: Program, totals: CampaignTotals, *, scheduler: str) -> list[str]:
    """Figures with their curves, then what was never seen, by line of the source."""
    coverage = totals.coverage
    possible = possible_pairs(program)
    points = discovery(coverage)
    labels = {str(step.label) for body in program.bodies for step in body.steps}
    lines = [
        f"coverage    of {coverage.executions:,} schedules, sampled whatever they do",
        f"steps       {len(totals.steps_reached):,} of {len(labels):,}",
        f"pairs       {len(coverage.pairs):,} of {len(possible):,} that accesses allow"
        f"{_curve([point.pairs for point in points])}",
        *_named(_classes(coverage, [point.classes for point in points], scheduler)),
        f"states      {states_sentence(totals)}",
        f"violations  {_violations(totals, scheduler)}",
    ]
    if len(points) > 1:
        lines.append(f"curves      over blocks 1 to {points[-1].blocks:,}, in equal ratios")
    return [*lines, "", *never_seen_lines(program, totals)]


def coverage_object(
    program: Program, totals: CampaignTotals, *, scheduler: str
) -> dict[str, object]:
    """The same with every pair that was never seen. Counts are text: they may pass 2^53."""
    coverage, possible = totals.coverage, possible_pairs(program)
    valid = validity(coverage.executions, scheduler=scheduler)
    risk: dict[str, object] = {"validity": valid.value}
    if valid is Validity.VALID:
        left = classes_left(coverage.classes, coverage.executions)
        risk |= {
            "new_class_probability": left.unseen,
            "new_class_probability_max": left.unseen_max,
            "classes_at_least": round(left.at_least, 1),
        }
        if totals.schedules:
            risk["unseen_violation_probability_max"] = rarer_than(totals.schedules)
    return {
        "executions_sampled": str(coverage.executions),
        "pairs_possible": len(possible),
        "pairs_seen": [
            {**_pair(program, pair), "executions": str(coverage.pairs[pair].executions)}
            for pair in sorted(coverage.pairs)
        ],
        "pairs_never_seen": [
            _pair(program, pair) for pair in sorted(possible - coverage.pairs.keys())
        ],
        "classes_seen": round(coverage.classes.classes, 1),
        "classes_exact": coverage.classes.is_exact,
        "classes_seen_once": round(coverage.classes.seen(1), 1),
        "classes_seen_twice": round(coverage.classes.seen(2), 1),
        "residual_risk": risk,
        "discovery": [
            {"blocks": str(point.blocks), "pairs": point.pairs, "classes": round(point.classes, 1)}
            for point in discovery(coverage)
        ],
    }


def risk_sentences(totals: CampaignTotals, *, scheduler: str) -> list[tuple[str, str]]:
    """What is left, by name: classes that were not seen, violations that never showed."""
    classes = _classes(totals.coverage, [], scheduler)
    return [*classes, ("violations", _violations(totals, scheduler))]


def states_sentence(totals: CampaignTotals) -> str:
    """How many states were seen, of how many where that is known."""
    states = totals.coverage.states
    sure, about = ("at least", "") if states.is_exact else ("about", "about ")
    count = f"{about}{states.count:,} seen in samples"
    if totals.reachable_states is None:
        return f"{count}; gracefuzz verify tells how many there are"
    reachable = totals.reachable_states
    part = min(100.0, 100 * states.count / reachable)
    return f"{count}, of {reachable:,} reachable: {sure} {part:.1f} %"


def never_seen_lines(program: Program, totals: CampaignTotals) -> list[str]:
    """Steps that were never reached, and pairs of those that were, by line of the later step."""
    coverage = totals.coverage
    if not coverage.executions:
        return []
    unreached = {
        (body, number)
        for body, declared in enumerate(program.bodies)
        for number, step in enumerate(declared.steps)
        if str(step.label) not in totals.steps_reached
    }
    unseen = possible_pairs(program) - coverage.pairs.keys()
    between = {p for p in unseen if p.earlier not in unreached and p.later not in unreached}
    lines = [f"never reached: {len(unreached):,} steps", *_indented(_lines(program, unreached))]
    lines += ["", f"never seen, of steps that were reached: {len(between):,} pairs"]
    found = defaultdict[tuple[BodyStep, str], set[BodyStep]](set)
    for pair in between:
        found[pair.later, pair.kind.value].add(pair.earlier)
    shown = []
    for (later, kind), earlier in sorted(found.items()):
        shown.append(f"{_lines(program, {later})[0]} never {kind}")
        shown += [f"    {line}" for line in _lines(program, earlier)]
    return lines + _indented(shown)


def _lines(program: Program, places: Iterable[BodyStep]) -> list[str]:
    """Steps by line of the source: what is called from several bodies is one line, with them."""
    found = defaultdict[tuple[str, int, str], dict[str, None]](dict)
    for body, number in sorted(places):
        step = program.bodies[body].steps[number]
        found[step.function, step.line, step.label.text][program.bodies[body].name] = None
    return [
        f"{function}:{line}: {text}"
        + ("" if [*bodies] == [function] else f" ({', '.join(bodies)})")
        for (function, line, text), bodies in found.items()
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    """No more of them than a person reads."""
    more = len(lines) - LINES_SHOWN
    last = [f"  and {more:,} lines more: --json has them"] if more > 0 else []
    return [f"  {line}" for line in lines[:LINES_SHOWN]] + last


def _named(sentences: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{name:<11} {sentence}" for name, sentence in sentences]


def _classes(
    coverage: Coverage, curve: Sequence[float], scheduler: str
) -> list[tuple[str, str]]:
    valid = validity(coverage.executions, scheduler=scheduler)
    about = "" if coverage.classes.is_exact else "about "
    seen = f"{about}{coverage.classes.classes:,.0f} of equivalent executions"
    if valid is not Validity.VALID:
        return [("classes", seen), ("new class", valid.value)]
    left = classes_left(coverage.classes, coverage.executions)
    return [
        ("classes", f"{seen}, there are at least {left.at_least:,.0f}{_curve(curve)}"),
        (
            "new class",
            f"the next schedule is of one with a probability of {left.unseen:.3%}, "
            f"below {left.unseen_max:.3%} (95 %)",
        ),
    ]


def _violations(totals: CampaignTotals, scheduler: str) -> str:
    valid = validity(totals.schedules, scheduler=scheduler)
    if valid is not Validity.VALID:
        return valid.value
    bound = rarer_than(totals.schedules)
    return f"one that never showed has a probability below {bound:.1e} a schedule (95 %)"


def _curve(values: Sequence[float]) -> str:
    """A value a character, the last one full."""
    if len(values) < 2 or not values[-1]:
        return ""
    top = len(BARS) - 1
    return "   " + "".join(BARS[min(top, int(top * value / values[-1]))] for value in values)


def _pair(program: Program, pair: StepPair) -> dict[str, object]:
    return {
        "kind": pair.kind.value,
        "earlier": _step(program, pair.earlier),
        "later": _step(program, pair.later),
    }


def _step(program: Program, place: BodyStep) -> dict[str, object]:
    step = program.bodies[place[0]].steps[place[1]]
    return {"step": str(step.label), "function": step.function, "line": step.line}
