"""The process that minimizes gives what minimizing gives, and its end is noticed on both sides."""

import os
import signal
import time

import pytest

from model.program_json import to_json
from tests.lost_update import lost_update
from workers.local_pool import LocalPool
from workers.minimizer import Minimizer, MinimizerFailed
from workers.minimizing import minimized
from workers.pool import Lost, MinimizedOne
from workers.shards import BlockRange, ShardSpec, run_shard

SECONDS_MAX = 30


@pytest.fixture(scope="module")
def program():
    return lost_update.compile()


@pytest.fixture(scope="module")
def spec(program):
    return ShardSpec(to_json(program), 1)


@pytest.fixture(scope="module")
def violation(spec):
    return run_shard(spec, BlockRange(0, 1)).replayed[0]


@pytest.fixture
def minimizer(program):
    made = Minimizer(program)
    yield made
    made.close()


def ends(process_id):
    """Whether a process ends in time. A child that nobody has waited for yet has ended too."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{process_id}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_the_other_process_gives_what_this_one_gives(program, violation, minimizer):
    assert minimizer.minimized(violation, ()) == minimized(program, violation)


def test_a_pool_hands_violations_over_and_executes_ranges_itself(spec, violation, minimizer):
    pool = LocalPool(spec, minimizer)
    pool.submit(*pool.takers(), violation)
    (report,) = pool.wait(seconds_max=1)
    assert isinstance(report, MinimizedOne) and report.minimal.is_proved
    pool.submit(*pool.takers(), BlockRange(0, 1))
    (report,) = pool.wait(seconds_max=1)
    assert report.result == run_shard(spec, BlockRange(0, 1))


def test_what_cannot_be_minimized_is_said_and_the_process_goes_on(violation, minimizer):
    with pytest.raises(MinimizerFailed, match="AttributeError"):
        minimizer.minimized("no violation", ())
    assert minimizer.minimized(violation, ()).is_proved


def test_a_killed_process_loses_the_violation_with_its_reason(spec, violation, minimizer):
    os.kill(minimizer.process_id, signal.SIGKILL)
    pool = LocalPool(spec, minimizer)
    for _ in range(2):
        pool.submit(*pool.takers(), violation)
        (report,) = pool.wait(seconds_max=1)
        assert isinstance(report, Lost) and "has died" in report.reason


def test_it_ignores_interrupts_and_ends_when_it_is_closed(violation, minimizer):
    minimizer.minimized(violation, ())
    os.kill(minimizer.process_id, signal.SIGINT)
    assert minimizer.minimized(violation, ()).is_proved
    minimizer.close()
    assert ends(minimizer.process_id)


def test_it_ends_with_the_process_that_started_it(program):
    reader, writer = os.pipe()
    first = os.fork()
    if first == 0:
        made = Minimizer(program)
        os.write(writer, str(made.process_id).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    process_id = int(os.read(reader, 20))
    os.waitpid(first, 0)
    os.close(reader)
    os.close(writer)
    assert ends(process_id)
