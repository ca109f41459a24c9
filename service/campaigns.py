"""Campaigns for a person to read, and for a script. Counts are text in JSON: they pass 2^53."""

import json
from collections.abc import Mapping, Sequence

from model.program import Program, show_parameter
from model.schedulers.named import as_option
from model.schedulers.portfolio import Turn, gains_object, shares
from service.coverage import coverage_lines, coverage_object
from service.reading import columns, option_for, pretty
from service.verifications import verification_lines, verification_object
from storage.campaigns import CampaignSummary, CampaignTotals
from storage.curves import CurvePoint
from storage.quarantine import QuarantinedRange

TURNS_SHOWN = 8


def campaigns_lines(found: Sequence[CampaignSummary], *, database: str) -> list[str]:
    """One line a campaign."""
    if not found:
        return [f"no campaign is stored in {database}"]
    head = ("#", "kind", "program", "state", "executed", "violations", "started")
    rows = [
        (
            str(each.campaign_id),
            each.plan.kind.value,
            each.program_name,
            each.state.value,
            _executed(each),
            f"{each.violations:,}",
            f"{each.started_at:%Y-%m-%d %H:%M}",
        )
        for each in found
    ]
    see = f"gracefuzz campaigns show {found[0].campaign_id}{option_for(database)}"
    return [*columns([head, *rows], right=frozenset({0, 4, 5})), "", f"see one:  {see}"]


def campaigns_json(found: Sequence[CampaignSummary]) -> str:
    """The same as a list."""
    return pretty(campaigns_objects(found))


def campaigns_objects(found: Sequence[CampaignSummary]) -> list[dict[str, object]]:
    """The same as objects."""
    return [summary_object(each) for each in found]


def campaign_lines(summary: CampaignSummary, totals: CampaignTotals, program: Program) -> list[str]:
    """All that is known of a campaign."""
    if summary.verification is not None:
        return [*_head(summary), *verification_lines(summary.verification)]
    plan = summary.plan
    excluded = ", ".join(map(str, plan.excluded_failures)) or "none"
    lines = [
        *_head(summary),
        f"seed        {plan.root_seed}",
        f"scheduler   {plan.scheduler}, engine revision {plan.engine_revision}",
        f"budget      {plan.budget}",
        f"excluded    {excluded}",
        "",
        f"blocks      {totals.blocks_done:,}",
        f"schedules   {totals.schedules:,}",
        f"steps       {totals.steps:,}",
        "",
        *_turns(totals.turns),
        *coverage_lines(program, totals, scheduler=plan.scheduler),
        "",
        "outcomes",
    ]
    lines += [*_counts(totals.outcomes), "", "violations by oracle", *_counts(totals.site_counts)]
    lines += quarantine_lines(summary, program, totals.quarantined)
    if totals.disagreements:
        lines += ["", f"{totals.disagreements} DISAGREEMENTS between the engines: report this"]
    return lines


def campaign_json(summary: CampaignSummary, totals: CampaignTotals, program: Program) -> str:
    """The same as an object."""
    return pretty(campaign_object(summary, totals, program))


def campaign_object(
    summary: CampaignSummary, totals: CampaignTotals, program: Program
) -> dict[str, object]:
    """All that is known of a campaign."""
    return {
        **summary_object(summary),
        "outcomes": {name: str(count) for name, count in totals.outcomes.items()},
        "sites": {name: str(count) for name, count in totals.site_counts.items()},
        "steps_reached": sorted(totals.steps_reached),
        "states_seen": str(totals.coverage.states.count),
        "states_seen_exact": totals.coverage.states.is_exact,
        "states_reachable": None
        if totals.reachable_states is None
        else str(totals.reachable_states),
        "schedulers": [
            {"scheduler": name, **gains_object(gains)}
            for name, gains in shares(totals.turns).items()
        ],
        "turns": [_turn_object(turn) for turn in totals.turns],
        "coverage": coverage_object(program, totals, scheduler=summary.plan.scheduler),
        "disagreements": totals.disagreements,
        "quarantined": [
            {
                "first_block": str(each.first_block),
                "blocks": str(each.blocks),
                "attempts": each.attempts,
                "worker": each.worker,
                "error": each.error,
                "at": each.at.isoformat(),
            }
            for each in totals.quarantined
        ],
        "curve": [_point_object(point) for point in totals.curve],
    }


def quarantine_lines(
    summary: CampaignSummary, program: Program, found: Sequence[QuarantinedRange]
) -> list[str]:
    """The blocks that are not executed any more, what is known of them, and how to see why."""
    if not found:
        return []
    lines = ["", "in quarantine: their workers died of these blocks, which are in no count"]
    for each in found:
        last = each.first_block + each.blocks - 1
        lines.append(
            f"  blocks {each.first_block:,} to {last:,}: {each.attempts} attempts, the last by "
            f"{each.worker} at {each.at:%Y-%m-%d %H:%M:%S}: {each.error}"
        )
    options = "".join(f" --param {key}={show_parameter(v)}" for key, v in program.parameters)
    options += as_option(summary.plan.scheduler)
    return [
        *lines,
        f"  to see why: gracefuzz fuzz {program.name}{options} --seed {summary.plan.root_seed} "
        f"--workers 0 --block {found[0].first_block}",
    ]


def _point_object(point: CurvePoint) -> dict[str, object]:
    """Counts are text: they may pass 2^53."""
    return {
        "blocks": str(point.blocks),
        "at": point.at.isoformat(),
        "active_seconds": round(point.active_seconds, 3),
        "schedules": str(point.schedules),
        "steps": str(point.steps),
        "violations": str(point.violations),
        "failures": point.failures,
        "steps_reached": point.steps_reached,
        "pairs": point.pairs,
        "classes": point.classes,
    }


def _head(summary: CampaignSummary) -> list[str]:
    """What every kind of campaign has."""
    ended = "" if summary.ended_at is None else f" to {summary.ended_at:%H:%M:%S} (UTC)"
    return [
        f"campaign {summary.campaign_id}   {summary.plan.kind.value}   {summary.program_name}",
        f"state       {summary.state.value}" + (f": {summary.ending}" if summary.ending else ""),
        f"time        {summary.started_at:%Y-%m-%d %H:%M:%S}{ended}",
        f"ir hash     {summary.plan.program_ir_hash}",
    ]


def _executed(each: CampaignSummary) -> str:
    if each.verification is not None:
        return f"{each.verification.figures.states:,} states"
    return f"{each.schedules:,} schedules"


def _counts(counts: Mapping[str, int]) -> list[str]:
    rows = [(f"  {name}", f"{count:,}") for name, count in counts.items()]
    return columns(rows, right=frozenset({1})) or ["  none"]


def _turns(turns: Sequence[Turn]) -> list[str]:
    """What each scheduler of a portfolio has done, and which blocks it had."""
    if not turns:
        return []
    total = max(1, sum(turn.gains.steps for turn in turns))
    head = ("scheduler", "steps", "schedules", "violations", "pairs", "classes", "states")
    rows = [
        (
            name,
            f"{gains.steps / total:.0%}",
            f"{gains.schedules:,}",
            f"{gains.violations:,}",
            *(f"{count:,}" for count in (gains.pairs, gains.classes, gains.states)),
        )
        for name, gains in shares(turns).items()
    ]
    listed = columns([head, *rows], right=frozenset(range(1, len(head))))
    chosen = [f"{turn.scheduler.partition(':')[0]} from {turn.first_block:,}" for turn in turns]
    shown = ", ".join(chosen[-TURNS_SHOWN:])
    more = "" if len(chosen) <= TURNS_SHOWN else "..., "
    return [*listed, f"{len(turns)} turns of blocks: {more}{shown}", ""]


def _turn_object(turn: Turn) -> dict[str, object]:
    gains = gains_object(turn.gains)
    return {
        "first_block": str(turn.first_block),
        "blocks": str(turn.blocks),
        "scheduler": turn.scheduler,
        "blocks_done": gains.pop("blocks"),
        **gains,
    }


def summary_object(each: CampaignSummary) -> dict[str, object]:
    """A campaign in a list."""
    return {
        "campaign": each.campaign_id,
        "kind": each.plan.kind.value,
        "program": each.program_name,
        "ir_hash": each.plan.program_ir_hash,
        "scheduler": each.plan.scheduler,
        "seed": str(each.plan.root_seed),
        "engine_revision": each.plan.engine_revision,
        "budget": json.loads(each.plan.budget),
        "excluded_failures": list(each.plan.excluded_failures),
        "state": each.state.value,
        "ending": each.ending,
        "started_at": each.started_at.isoformat(),
        "ended_at": None if each.ended_at is None else each.ended_at.isoformat(),
        "blocks": str(each.blocks_done),
        "schedules": str(each.schedules),
        "steps": str(each.steps),
        "violations": str(each.violations),
        "verification": None
        if each.verification is None
        else verification_object(each.verification),
    }
