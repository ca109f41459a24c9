"""A bundle: failures with their programs in one zip file, for another installation.

    manifest.json               the format, its version, every other file with its SHA-256
    programs/IR_HASH.json       the IR
    programs/IR_HASH.txt        the source, for people
    failures/FINGERPRINT.json   signature, stored schedule, proof, and what showed it first
    failures/FINGERPRINT.txt    the interleaving in columns, for people

The same failures give the same bytes. Nothing in it is a pickle, and whoever reads it computes
again whatever can be computed (`service.bundle_reading`).
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from importlib.metadata import version

from service.failures import LoadedFailure

FORMAT = "gracefuzz-bundle"
BUNDLE_VERSION = 1
MANIFEST = "manifest.json"
# Zip has no instant before this one, and a fixed one keeps bundles comparable.
EPOCH = (1980, 1, 1, 0, 0, 0)


def bundle(failures: Iterable[LoadedFailure]) -> bytes:
    """The zip file of these failures."""
    files: dict[str, bytes] = {}
    for loaded in failures:
        program, record = loaded.program, loaded.failure.record
        files[f"programs/{program.ir_hash}.json"] = program.ir.encode()
        files[f"programs/{program.ir_hash}.txt"] = program.source.encode()
        files[f"failures/{record.fingerprint}.json"] = _json(_failure(loaded))
        files[f"failures/{record.fingerprint}.txt"] = record.diagram.encode()
    manifest = {
        "format": FORMAT,
        "version": BUNDLE_VERSION,
        "gracefuzz": version("gracefuzz"),
        "files": {
            name: {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
            for name, text in sorted(files.items())
        },
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in [(MANIFEST, _json(manifest)), *sorted(files.items())]:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return written.getvalue()


def _failure(loaded: LoadedFailure) -> dict[str, object]:
    failure, record, plan = loaded.failure, loaded.failure.record, loaded.campaign.plan
    return {
        "version": BUNDLE_VERSION,
        "fingerprint": record.fingerprint,
        "ir_hash": record.ir_hash,
        "program": record.program_name,
        "oracle": record.oracle,
        "sentence": record.sentence,
        "step": record.step_label,
        "schedule": json.loads(record.schedule),
        "proof": json.loads(record.proof),
        "status": failure.status.value,
        "origin": {
            "kind": plan.kind.value,
            "scheduler": plan.scheduler,
            "root_seed": str(plan.root_seed),
            "engine_revision": plan.engine_revision,
            "block": str(failure.first_block),
            "lane": failure.first_lane,
            "schedule_ordinal": str(record.first_schedule_ordinal),
            "first_seen_at": failure.first_seen_at.isoformat(),
        },
    }


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
