"""The screen of a verification says how far it is, and never how long it will take."""

from dataclasses import replace

import pytest
import typer

from model.explore import Explored, explore
from storage.verifications import VerificationPlan
from workers.progress import Ending
from workers.verification import Reach, VerificationReport
from workers.verification_display import (
    Frontier,
    VerificationTitle,
    conclusion_lines,
    given_size,
    lines_of,
    mode,
    size,
    verdict_sentence,
)
from workers.verify_command import bytes_of

REACH = Reach(1_234_567, 4_000_000, 120_000, 43, 1 << 30, begun_states=1, exploring_seconds=3.0)


@pytest.fixture
def title(sound):
    return VerificationTitle(sound, VerificationPlan(8 << 30, symmetry=False, bitstate=False))


def test_the_screen(title):
    trend = Frontier()
    trend.note(depth=42, frontier=100_000)
    trend.note(depth=43, frontier=120_000)
    lines = lines_of(title, REACH, trend, {}, seconds=12.0)
    assert lines[0].endswith("lost_update  writers=2  locked=on     every state, breadth first")
    assert lines[1:] == [
        "  1.23 M states   4.00 M transitions   12 s   412 k states/s",
        "  frontier    120 k states in layer 43, growing, x 1.20 a layer",
        "  memory      1.0 GiB of 8.0 GiB, 12 %: holds about 9.88 M states",
    ]


def test_a_resumed_one_counts_its_own_states_only(title):
    lines = lines_of(title, replace(REACH, begun_states=1_000_000), Frontier(), {}, seconds=3.0)
    assert "1.23 M states, 1.00 M of them before" in lines[1]
    assert lines[1].endswith("78.2 k states/s")


def test_the_frontier_grows_and_shrinks():
    trend = Frontier()
    for depth, frontier in ((1, 1), (2, 100), (4, 400), (5, 390)):
        trend.note(depth=depth, frontier=frontier)
        if depth == 4:
            assert trend.sentence == "growing, x 2.00 a layer"
    assert trend.sentence == "growing"
    trend.note(depth=6, frontier=200)
    assert trend.sentence == "shrinking since layer 4, where it was 400"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "proved: no oracle of lost_update is violated in any reachable state"),
        ({"reduced": True}, "in any reachable state, up to symmetry"),
        ({"discarded": True}, "executions discarded by assume() are left out"),
        ({"sites": {1: 4}}, "refuted: 1 oracle violated"),
        ({"sites": {1: 4, 2: 5}, "exhausted": False}, "2 oracles violated; not every state was"),
        (
            {"exact": False, "coverage": 0.99},
            "(about 99.00 % of those met were told apart): nothing",
        ),
        ({"exhausted": False}, "bounded, 1,000 states: nothing is proved"),
    ],
)
def test_the_verdict_says_what_may_be_concluded(sound, changed, said):
    whole = Explored(1000, 2000, 9, 0, True, False, False, {}, {})
    assert said in verdict_sentence(sound, replace(whole, **changed))


def test_the_last_screen_says_how_to_go_on(title, sound, tmp_path):
    explored = replace(explore(sound), exhausted=False, frontier=3)
    report = VerificationReport(
        7, Ending.MEMORY_FULL, 1.0, explored, REACH, {}, tmp_path / "x", False
    )  # fmt: skip
    lines = conclusion_lines(title, report, database="x.db")
    assert "go on with: gracefuzz verify --resume 7 --memory 16G --db x.db" in lines
    stopped = replace(report, ending=Ending.STOPPED)
    lines = conclusion_lines(title, stopped, database="gracefuzz.db")
    assert "go on with: gracefuzz verify --resume 7" in lines


@pytest.mark.parametrize(
    ("text", "count"),
    [("8G", 8 << 30), ("512M", 512 << 20), ("1.5g", 3 << 29), ("16GiB", 16 << 30), ("7", 7)],
)
def test_a_size_of_memory_has_a_binary_unit(text, count):
    assert bytes_of(text) == count


@pytest.mark.parametrize("text", ["", "G", "0", "-1G", "8X", "lots", "nan", "99999999T"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(typer.BadParameter, match="is no size of memory: give 512M, 8G or 1T"):
        bytes_of(text)


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (8 << 30, "8.0 GiB")],
)
def test_a_size_is_short(count, shown):
    assert size(count) == shown


@pytest.mark.parametrize("text", ["7", "3K", "512M", "16G", "2T", "1536M"])
def test_a_size_is_suggested_as_it_may_be_given(text):
    assert given_size(bytes_of(text)) == text


def test_the_mode_says_how_states_are_kept():
    assert mode(VerificationPlan(1, symmetry=True, bitstate=True)) == (
        "every state, breadth first, symmetric states as one, a few bits a state"
    )
