"""Failures as SARIF 2.1.0, for tools that show what analysers found.

A failure is a result of the rule that its oracle is; its minimal interleaving is a code flow with a
thread flow for each thread, whose locations say in which order they were executed (`executionOrder`
over all of them). A step has a line where the line is one of the program's own file: steps of
functions from other files are known by their label only.
"""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import model
from model.program import Oracle, Program, Step
from model.program_json import from_json
from service.failures import LoadedFailure, counted, title_of
from service.reading import pretty
from storage.sources import library

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT_KEY = "gracefuzzInterleaving/v1"
# Statuses by which somebody has said that a failure need not be looked at.
SUPPRESSED = ("invalid", "duplicate")
GONE = "fixed"
_RULES = {
    Oracle.DEADLOCK: "threads wait for each other for ever",
    Oracle.ASSERT: "an assertion of a thread does not hold",
    Oracle.INVARIANT: "an invariant does not hold in a state",
    Oracle.AT_END: "a condition does not hold in the end",
    Oracle.RANGE: "a value leaves the range of its variable",
    Oracle.INDEX: "an array is indexed outside its bounds, or by null",
    Oracle.LOCK: "a lock is misused",
    Oracle.RCU: "RCU is misused",
}
_ORDER = tuple(_RULES)


def sarif(failures: Sequence[LoadedFailure]) -> str:
    """One run with a result for each failure."""
    places = sorted({place_of(each.program.name) for each in failures})
    artifacts = [{"location": {"uri": place}, "sourceLanguage": "python"} for place in places]
    driver = {
        "name": "gracefuzz",
        "version": version("gracefuzz"),
        "rules": [
            {"id": f"gracefuzz/{oracle.value}", "shortDescription": {"text": _RULES[oracle]}}
            for oracle in _ORDER
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "artifacts": artifacts,
        "results": [_result(each, places) for each in failures],
    }
    return pretty({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def place_of(name: str) -> str:
    """The file of a program, as far as it is known: in the library, or by its name."""
    if name in library():
        root = Path(model.__file__).parents[1]
        return Path(library()[name].file).relative_to(root).as_posix()
    return f"{name}.py"


def _result(loaded: LoadedFailure, places: list[str]) -> dict[str, object]:
    record, status = loaded.failure.record, loaded.failure.status.value
    place = place_of(loaded.program.name)
    steps = _Steps(from_json(loaded.program.ir), loaded.program.source, place, places.index(place))
    found: dict[str, object] = {
        "ruleId": f"gracefuzz/{record.oracle}",
        "ruleIndex": _ORDER.index(Oracle(record.oracle)),
        "kind": "fail",
        "level": "error",
        "message": {
            "text": f"{record.sentence}: {title_of(loaded)}, after "
            f"{counted(record.steps, 'step')} with {counted(record.preemptions, 'preemption')}"
        },
        "locations": [steps.location(record.step_label)],
        "partialFingerprints": {FINGERPRINT_KEY: record.fingerprint},
        "codeFlows": [_code_flow(steps, json.loads(record.interleaving), record.sentence)],
        "properties": {
            "failure": loaded.failure.failure_id,
            "status": status,
            "irHash": record.ir_hash,
            "parameters": json.loads(loaded.program.parameters),
            "proof": json.loads(record.proof),
            "interleaving": record.diagram,
        },
    }
    if status in SUPPRESSED:
        found["suppressions"] = [{"kind": "external", "status": "accepted"}]
    if status == GONE:
        found["baselineState"] = "absent"
    return found


class _Steps:
    """Where the steps of a program stand."""

    def __init__(self, program: Program, source: str, place: str, index: int) -> None:
        self._lines = source.splitlines()
        self._place = {"uri": place, "index": index}
        self._program = program
        self._steps = {str(step.label): step for body in program.bodies for step in body.steps}

    def location(self, label: str) -> dict[str, object]:
        """A step's place: its line where that is known, its body in any case."""
        step = self._steps[label]
        physical: dict[str, object] = {"artifactLocation": self._place}
        line = self._line(step)
        if line is not None:
            physical["region"] = {"startLine": line}
        name = f"{self._program.name}.{step.label.body}"
        return {
            "physicalLocation": physical,
            "logicalLocations": [{"fullyQualifiedName": name, "kind": "function"}],
        }

    def _line(self, step: Step) -> int | None:
        """The line of a step, where it is one of this file and not of one that it calls."""
        first = step.label.text.split("(")[0].split(" ")[0]
        there = self._lines[step.line - 1] if 0 < step.line <= len(self._lines) else ""
        return step.line if step.function == step.label.body and first in there else None


def _code_flow(steps: _Steps, interleaving: dict[str, list[dict[str, object]]], end: str) -> object:
    events = interleaving["events"]
    threads = list(dict.fromkeys(str(event["thread"]) for event in events))
    flows = []
    for thread in threads:
        locations = [
            {
                "executionOrder": number,
                "location": {
                    **steps.location(str(event["step"])),
                    "message": {"text": _said(event, end if number == len(events) else "")},
                },
                "importance": "essential" if number == len(events) else "important",
            }
            for number, event in enumerate(events, start=1)
            if event["thread"] == thread
        ]
        flows.append({"id": thread, "message": {"text": thread}, "locations": locations})
    return {"message": {"text": "the smallest interleaving"}, "threadFlows": flows}


def _said(event: dict[str, object], end: str) -> str:
    """The step, what it changed, and what it violated."""
    text = str(event["step"]).partition(": ")[2]
    changes = event["changes"]
    assert isinstance(changes, list)
    shown = ", ".join(f"{c['variable']}: {c['before']} -> {c['after']}" for c in changes)
    return text + (f"  [{shown}]" if shown else "") + (f"  <-- {end}" if end else "")
