"""How a campaign ended, as one JSON object. Counts are text: they may pass 2^53."""

import json

from model.coverage import Coverage
from model.residual_risk import classes_left
from model.schedulers.portfolio import gains_object
from storage.locations import without_secrets
from workers.campaign import CampaignReport
from workers.orders import Order
from workers.progress import FoundFailure, Verdict


def report_json(report: CampaignReport, order: Order, *, database: str, verdict: Verdict) -> str:
    """What `gracefuzz fuzz --json` prints."""
    progress = report.progress
    return json.dumps(
        {
            "campaign": report.campaign_id,
            "database": without_secrets(database),
            "program": order.program.name,
            "parameters": dict(order.program.parameters),
            "ir_hash": order.program.hash,
            "scheduler": order.scheduler,
            "seed": str(order.root_seed),
            "ending": report.sentence,
            "exit_code": int(verdict),
            "seconds": round(report.seconds, 3),
            "blocks": str(progress.blocks),
            "schedules": str(progress.schedules),
            "steps": str(progress.steps),
            "violations": {
                "new": str(progress.new_failures),
                "known": str(progress.known_violations),
            },
            "passed_over": str(progress.passed_over),
            "outcomes": {name: str(progress.outcomes[name]) for name in sorted(progress.outcomes)},
            "sites": {name: str(progress.site_hits[name]) for name in sorted(progress.site_hits)},
            "program_steps": progress.program_steps,
            "steps_reached": sorted(progress.steps_reached),
            "coverage": coverage_object(progress.coverage, progress.possible_pairs),
            "schedulers": [
                {"scheduler": name, **gains_object(gains)}
                for name, gains in progress.shares.items()
            ],
            "disagreements": progress.disagreements,
            "workers_lost": progress.workers_lost,
            "quarantined": [[each.first, each.blocks] for each in progress.quarantined],
            "failures": [failure_object(progress.failures[n]) for n in sorted(progress.failures)],
        },
        indent=2,
    )


def coverage_object(coverage: Coverage, possible_pairs: int) -> dict[str, object]:
    """Coverage in short; `gracefuzz campaigns show --json` has all of it."""
    left = classes_left(coverage.classes, coverage.executions) if coverage.executions else None
    return {
        "executions_sampled": str(coverage.executions),
        "pairs_seen": len(coverage.pairs),
        "pairs_possible": possible_pairs,
        "classes_seen": None if left is None else round(left.seen, 1),
        "new_class_probability": None if left is None else left.unseen,
        "states_seen": str(coverage.states.count),
    }


def failure_object(found: FoundFailure) -> dict[str, object]:
    """A failure that a campaign has shown."""
    minimal = found.minimal
    return {
        "failure": found.failure_id,
        "new": found.is_new,
        "regressed": found.has_regressed,
        "fingerprint": minimal.fingerprint,
        "oracle": minimal.oracle,
        "sentence": minimal.sentence,
        "step": minimal.signature.step,
        "preemptions": minimal.preemptions,
        "switches": minimal.switches,
        "threads": minimal.threads,
        "steps": minimal.steps,
        "proof": dict(minimal.proof),
        "first_schedule_ordinal": str(found.ordinal),
    }
