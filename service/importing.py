"""Taking in the failures of a bundle: each once, whoever sends it, however often."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from model.minimize import minimize
from model.minimized import Minimized, described
from model.schedule import picks_json
from service.bundle_reading import (
    BUNDLE_BYTES_MAX,
    Bundle,
    BundledFailure,
    BundleError,
    read_bundle,
)
from service.reading import columns, pretty
from storage.campaigns import CampaignPlan, finish_campaign, start_campaign
from storage.failures import SightingRecord, find_failure, record_sighting
from storage.minimal_failures import failure_record
from storage.programs import ProgramRecord, record_program
from storage.session import Database
from storage.tables import CampaignKind, CampaignState
from storage.verifications import VerificationPlan

DIGITS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Imported:
    """A failure of a bundle, and its number here; `is_new` where it was not known before."""

    number: int
    is_new: bool
    minimal: Minimized


def bundle_in(file: Path) -> Bundle:
    """Read a bundle from a file. Raises BundleError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        raise BundleError(f"{file} cannot be read: {error.strerror}") from None
    try:
        return read_bundle(content)
    except BundleError as error:
        raise BundleError(f"{file} is refused: {error}") from None


def import_bundle(
    database: Database, bundle: Bundle, *, prove: bool, now: datetime
) -> tuple[Imported, ...]:
    """Store what is not known yet, in one transaction; what is known stays as it is.

    With `prove`, each is minimized here, which takes seconds for each; otherwise its minimum is
    that of the bundle, and as far as it was proved there, it is not proved here.
    """
    minimal = [_minimal(each, prove=prove) for each in bundle.failures]
    taken: list[Imported] = []
    with database.write() as session:
        for each, smallest in zip(bundle.failures, minimal, strict=True):
            known = find_failure(session, smallest.fingerprint)
            if known is not None:
                taken.append(Imported(known, False, smallest))
                continue
            record_program(session, _program(each), now=now)
            plan = _plan(each, bundle)
            campaign = start_campaign(session, plan, now=now)
            origin = each.origin
            sighting = SightingRecord(
                campaign_id=campaign,
                ir_hash=each.program.hash,
                block=origin.block,
                lane=origin.lane,
                step=len(each.trace.events) - 1,
                schedule=picks_json(each.trace.schedule),
            )
            row = failure_record(
                smallest, ir_hash=each.program.hash, ordinal=origin.schedule_ordinal
            )
            recorded = record_sighting(session, row, sighting, now=now)
            ending = f"imported from the bundle {bundle.digest[:DIGITS_SHOWN]}"
            finish_campaign(session, campaign, CampaignState.FINISHED, ending=ending, now=now)
            taken.append(Imported(recorded.failure_id, recorded.is_new_failure, smallest))
    return tuple(taken)


def imported_lines(taken: tuple[Imported, ...]) -> list[str]:
    """One line a failure."""
    if not taken:
        return ["the bundle holds no failure"]
    rows = [
        (
            str(each.number),
            "new" if each.is_new else "known",
            each.minimal.signature.program,
            each.minimal.signature.site,
        )
        for each in taken
    ]
    return columns([("#", "", "program", "oracle"), *rows], right=frozenset({0}))


def imported_json(taken: tuple[Imported, ...]) -> str:
    """The same as a list."""
    return pretty(
        [
            {
                "failure": each.number,
                "new": each.is_new,
                "program": each.minimal.signature.program,
                "fingerprint": each.minimal.fingerprint,
                "oracle": each.minimal.oracle,
                "sentence": each.minimal.sentence,
                "proof": dict(each.minimal.proof),
            }
            for each in taken
        ]
    )


def _minimal(each: BundledFailure, *, prove: bool) -> Minimized:
    if not prove:
        return each.minimal
    found = minimize(each.program, each.trace)
    return described(found.trace, proof=found.proof, states=found.states)


def _program(each: BundledFailure) -> ProgramRecord:
    return ProgramRecord(
        ir_hash=each.program.hash,
        name=each.program.name,
        parameters=json.dumps(dict(each.program.parameters)),
        ir=each.ir,
        source=each.source,
    )


def _plan(each: BundledFailure, bundle: Bundle) -> CampaignPlan:
    origin = each.origin
    verified = origin.kind == CampaignKind.VERIFY.value
    return CampaignPlan(
        program_ir_hash=each.program.hash,
        scheduler=origin.scheduler,
        root_seed=origin.root_seed,
        engine_revision=origin.engine_revision,
        budget=json.dumps({"imported": bundle.digest}),
        verification=VerificationPlan(1, symmetry=False, bitstate=False) if verified else None,
    )
