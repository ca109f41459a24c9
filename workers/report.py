"""How a campaign ended, as one JSON object. Counts are text: they may pass 2^53."""

import json

from workers.campaign import CampaignReport, Order
from workers.progress import FoundFailure, Verdict


def report_json(report: CampaignReport, order: Order, *, database: str, verdict: Verdict) -> str:
    """What `gracefuzz fuzz --json` prints."""
    progress = report.progress
    return json.dumps(
        {
            "campaign": report.campaign_id,
            "database": database,
            "program": order.program.name,
            "parameters": dict(order.program.parameters),
            "ir_hash": order.program.hash,
            "scheduler": order.scheduler,
            "seed": str(order.root_seed),
            "ending": report.ending.value,
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
            "disagreements": progress.disagreements,
            "workers_lost": progress.workers_lost,
            "quarantined": [[each.first, each.blocks] for each in progress.quarantined],
            "failures": [failure_object(progress.failures[n]) for n in sorted(progress.failures)],
        },
        indent=2,
    )


def failure_object(found: FoundFailure) -> dict[str, object]:
    """A failure that a campaign has shown."""
    minimal = found.minimal
    return {
        "failure": found.failure_id,
        "new": found.is_new,
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
