"""Frames show every value and who can go on, before each step and after the last."""

import pytest

from model.interpreter import replay
from model.schedule import Pick
from service.frames import frame_text, frames_of
from tests import toy_programs
from tests.lost_update import lost_update

FAILING = tuple(Pick(thread) for thread in (0, 1, 1, 0))


@pytest.fixture(scope="module")
def trace():
    return replay(lost_update.compile(), FAILING)


def test_there_is_a_frame_before_each_step_and_one_after_the_last(trace):
    frames = frames_of(trace)
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].executed is None
    assert [frame.executed.thread for frame in frames[1:]] == ["add#1", "add#2", "add#2", "add#1"]
    assert [v.value for frame in frames for v in frame.shared if v.place == "count"] == [
        "0", "0", "0", "1", "1"
    ]  # fmt: skip


def test_a_frame_is_shown_whole(trace):
    assert frame_text(frames_of(trace)[3], steps=4, ending="unsaid") == "\n".join(
        [
            "step 3 of 4   add#2: WRITE_ONCE(count, value + 1)",
            "",
            "  > add#1  WRITE_ONCE(count, value + 1)  (line 26)  value=0",
            "    add#2  ended",
            "",
            "  shared",
            "    count = 1   <- 0",
            "    lock = 0",
        ]
    )


def test_the_last_frame_says_how_it_ended(trace):
    text = frame_text(frames_of(trace)[-1], steps=4, ending="an addition is lost")
    assert text.splitlines()[0] == "step 4 of 4   add#1: WRITE_ONCE(count, value + 1)"
    assert text.endswith("\n\nan addition is lost")


@pytest.mark.parametrize(
    "source",
    [
        toy_programs.stale_lookup,
        toy_programs.early_free,
        toy_programs.crossed_locks,
        toy_programs.late_child,
    ],
    ids=lambda source: source.name,
)
def test_frames_of_any_execution_agree_with_its_events(source):
    """RCU, waits, children, choices: the changes that frames mark are those of the events."""
    program = source.compile()
    for first in (True, False):
        trace = toy_programs.execute(program, lambda enabled, f=first: enabled[0 if f else -1])
        frames = frames_of(trace)
        for frame, event in zip(frames[1:], trace.events, strict=True):
            values = (*frame.shared, *frame.ghosts, *frame.internal)
            assert sum(value.before is not None for value in values) == len(event.changes)
        for frame, event in zip(frames, trace.events, strict=False):
            enabled = [n for n, thread in enumerate(frame.threads) if thread.is_enabled]
            assert tuple(enabled) == event.enabled
