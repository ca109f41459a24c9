"""The screen says what was done in numbers that a person can read, and what to distrust."""

import numpy as np
import pytest
from rich.console import Console

from model.class_sample import ClassSample
from model.coverage import Coverage, Shown
from model.schedulers.portfolio import Gains
from model.signature import Signature
from model.step_pairs import PairKind, StepPair
from workers.display import Title, amount, duration, last_lines, lines_of, watched
from workers.minimizing import Minimized
from workers.progress import FoundFailure, Progress
from workers.shards import BlockRange

TITLE = Title("lost_update", (("writers", 2), ("locked", False)), 1, "2 workers", 2, "AVX2")


def failure(number, *, is_new, proof):
    minimal = Minimized(
        Signature("lost_update", "s", "l"), "at_end", "an addition is lost", "f", 1, 2, 2, 4,
        "{}", "{}", "", proof, 11,
    )  # fmt: skip
    return FoundFailure(number, is_new, minimal, 7)


@pytest.fixture
def progress(broken):
    progress = Progress(broken, schedules=4_100_000_000, steps=230_000_000_000, violations=9)
    progress.failures[1] = failure(1, is_new=True, proof={"steps": "proved"})
    progress.failures[2] = failure(2, is_new=False, proof={"steps": "local (10^6 states)"})
    progress.last_new_timestamp_seconds = 1000.0
    progress.steps_reached.add("add: x")
    progress.coverage = Coverage(
        executions=10,
        pairs={StepPair(PairKind.READS, (0, 1), (0, 0)): Shown(3, 1)},
        classes=ClassSample.of(np.array([5] * 9 + [7], np.uint64), block=1),
    )
    return progress


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (999.6, "1.00 k"),
        (1000, "1.00 k"),
        (12_345, "12.3 k"),
        (123_456, "123 k"),
        (999_600, "1.00 M"),
        (4_100_000_000, "4.10 G"),
        (10**19, "10.0 E"),
        (10**23, "100000 E"),
    ],
)
def test_an_amount_has_three_digits(number, shown):
    assert amount(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.314, "0.31 s"), (59.4, "59 s"), (62, "1 m 02 s"), (3600 * 3 + 301, "3 h 05 m")],
)
def test_a_duration_is_short(seconds, shown):
    assert duration(seconds) == shown


def test_the_screen(progress):
    lines = lines_of(TITLE, progress, seconds=62.0, timestamp_seconds=1058.0)
    assert "\n".join(lines[0].split(maxsplit=2)[2:] + lines[1:]) == "\n".join(
        [
            "lost_update  writers=2  locked=off     seed 1   2 workers",
            "  4.10 G schedules in 1 m 02 s   1.85 G steps/s a core   512 lanes, AVX2",
            "  violations  9, 2 distinct (1 new)   last new 58 s ago",
            "  covered     1/2 steps   1/3 conflicting pairs   2 classes, the next is new: 10.00%",
            "",
            "  #1  at_end: an addition is lost   4 steps  1 preemption  minimal: proved",
            "  #2  at_end: an addition is lost   4 steps  1 preemption  minimal: local   "
            "known before",
        ]
    )


def test_a_portfolio_shows_who_did_how_much_and_found_what(progress):
    progress.shares = {
        "pos:bits=8": Gains(steps=300, violations=12_345),
        "urw": Gains(steps=100),
    }
    lines = lines_of(TITLE, progress, seconds=62.0, timestamp_seconds=1058.0)
    assert lines[4] == "  schedulers  pos 75% (12.3 k)  urw 25% (0)"


def test_what_makes_a_result_doubtful_is_on_the_screen(broken):
    progress = Progress(broken, disagreements=1, passed_over=5)
    progress.outcomes.update(step_limit=12_000, discarded=3)
    progress.quarantined.append(BlockRange(4, 2))
    assert lines_of(TITLE, progress, seconds=1.0, timestamp_seconds=0.0)[4:] == [
        "  12.0 k executions hit the step limit: they have passed nothing",
        "  3 executions were discarded by assume()",
        "  5 replayed violations were passed over",
        "  1 DISAGREEMENTS between the engines: report this",
        "  in quarantine: blocks 4 to 5",
    ]


def test_the_last_lines_name_the_database_where_it_is_not_the_usual_one(progress):
    found = progress.failures
    assert last_lines(found, database="gracefuzz.db")[1] == "see one:   gracefuzz failures show 1"
    assert last_lines(found, database="x.db")[-1].endswith("gracefuzz failures list --db x.db")
    assert "no failure was found" in last_lines([], database="x.db")[1]


def test_nothing_is_drawn_where_there_is_no_terminal(capsys):
    with watched(Console(stderr=True)) as screen:
        screen.show(["a line"])
        assert not screen.is_watched
    assert capsys.readouterr() == ("", "")
