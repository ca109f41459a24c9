"""However many schedules show a race, and however they look, it comes down to one fingerprint."""

from collections import defaultdict

import pytest

from model.circuit import block as blocks
from model.circuit.block import Engine
from model.fingerprint import fingerprint
from model.interpreter import Trace
from model.known import conflicting_pairs, contains
from model.language import ME, READ_ONCE, WRITE_ONCE, boolean, program
from model.minimize import minimize
from model.program import Program
from model.signature import Signature, signature_of
from tests.lost_update import lost_update
from tests.toy_programs import two_publishers

SHOWN_MAX = 512


@pytest.fixture(autouse=True)
def more_hits_are_kept(monkeypatch):
    monkeypatch.setattr(blocks, "HITS_PER_SITE", SHOWN_MAX)


@program()
def two_races(p):
    """Two flags, each of which may be seen before what it stands for."""
    values = p.array("values", 2, boolean)
    ready = p.array("ready", 2, boolean)

    @p.thread(instances=2)
    def publish():
        WRITE_ONCE(ready[ME], 1)
        WRITE_ONCE(values[ME], 1)

    @p.thread()
    def read():
        if READ_ONCE(ready[0]):
            first = READ_ONCE(values[0])
            assert first, "the first is ready before its value"
        if READ_ONCE(ready[1]):
            second = READ_ONCE(values[1])
            assert second, "the second is ready before its value"


def different_failures(compiled: Program, *, executions: int) -> dict[Signature, list[Trace]]:
    """Failing executions by signature, no two with the same schedule, of so many that failed."""
    engine, traces, block = Engine(compiled), list[Trace](), 0
    while len(traces) < executions:
        result = engine.run_block(root_seed=2, block=block, passes=64, hits_from=block % 64)
        traces += engine.recover(result.hits, root_seed=2, block=block, passes=64)
        block += 1
    found: dict[Signature, list[Trace]] = defaultdict(list)
    for trace in {trace.schedule: trace for trace in traces}.values():
        found[signature_of(trace)].append(trace)
    return found


def fingerprints(compiled: Program, traces: list[Trace]) -> set[str]:
    return {fingerprint(minimize(compiled, trace).trace) for trace in traces}


@pytest.mark.slow
def test_thousands_of_failing_schedules_of_one_race_are_one_row():
    compiled = lost_update.compile(writers=4)
    ((_, failing),) = different_failures(compiled, executions=4_000).items()
    assert len(failing) > 1_000 and len({fingerprint(trace) for trace in failing}) > 20
    assert len(fingerprints(compiled, failing)) == 1


def test_races_of_different_signatures_are_two_rows():
    compiled = two_races.compile()
    failing = different_failures(compiled, executions=1_000)
    assert len(failing) == 2 and min(map(len, failing.values())) >= 10
    first, second = (fingerprints(compiled, traces) for traces in failing.values())
    assert len(first) == len(second) == 1 and first != second


def test_two_races_of_one_signature_come_apart_when_the_first_is_excluded():
    compiled = two_publishers.compile()
    ((_, failing),) = different_failures(compiled, executions=1_000).items()
    (first,) = fingerprints(compiled, failing)
    excluded = (conflicting_pairs(minimize(compiled, failing[0]).trace),)
    behind = [trace for trace in failing if not contains(trace, excluded[0])]
    assert 0 < len(behind) < len(failing)
    second = {fingerprint(minimize(compiled, trace, excluded=excluded).trace) for trace in behind}
    assert len(second) == 1 and first not in second
