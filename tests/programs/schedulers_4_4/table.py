"""What is known exactly of the small programs: a row each."""

from dataclasses import dataclass

from model.language.declare import ProgramSource
from model.program import Program
from tests.programs.schedulers_4_4 import small_programs as small


@dataclass(frozen=True)
class Row:
    """Counts of interleavings; `probability` is that of one uniform walk failing.

    `by_preemptions` holds, for at most 0, 1 and 2 preemptions, (interleavings, failing ones);
    `classes` counts the classes of interleavings that differ only in the order of independent
    events.
    """

    name: str
    source: ProgramSource
    parameters: dict[str, int]
    interleavings: int
    failing: int
    probability: str
    classes: int
    failing_classes: int
    preemptions: int
    switches: int
    by_preemptions: tuple[tuple[int, int], ...]

    @property
    def program(self) -> Program:
        return self.source.compile(**self.parameters)

    def __str__(self) -> str:
        return self.name


ROWS = (
    Row("lazy01", small.lazy01, {}, 66, 44, "0.521701", 6, 2, 0, 3, ((6, 2), (14, 7), (39, 23))),
    Row("account", small.account, {}, 58, 7, "0.136285", 6, 2, 0, 3, ((6, 2), (14, 3), (38, 7))),
    Row(
        "bluetooth_driver",
        small.bluetooth_driver,
        {},
        968,
        35,
        "0.096680",
        10,
        1,
        1,
        2,
        ((1, 0), (12, 1), (38, 1)),
    ),
    Row("twostage", small.twostage, {}, 341, 4, "0.021484", 3, 1, 1, 2, ((2, 0), (7, 1), (30, 2))),
    Row(
        "reorder_3",
        small.reorder,
        {},
        474,
        23,
        "0.025034",
        52,
        8,
        1,
        2,
        ((6, 0), (32, 2), (117, 7)),
    ),
    Row(
        "reorder_4",
        small.reorder,
        {"setters": 3},
        33258,
        246,
        "0.007397",
        1089,
        57,
        1,
        2,
        ((24, 0), (229, 3), (1341, 15)),
    ),
    Row(
        "deadlock01", small.deadlock01, {}, 18, 3, "0.375000", 3, 1, 1, 2, ((2, 0), (7, 2), (14, 3))
    ),
    Row(
        "token_ring",
        small.token_ring,
        {},
        280,
        57,
        "0.129340",
        24,
        4,
        0,
        4,
        ((24, 4), (82, 19), (162, 39)),
    ),
    Row("carter01", small.carter01, {}, 22, 8, "0.496094", 4, 2, 1, 2, ((2, 0), (5, 2), (17, 3))),
    Row(
        "lost_update_2x1",
        small.lost_update,
        {},
        10,
        6,
        "0.375000",
        4,
        2,
        1,
        3,
        ((2, 0), (5, 2), (9, 5)),
    ),
    Row(
        "lost_update_2x2",
        small.lost_update,
        {"additions": 2},
        126,
        112,
        "0.718750",
        34,
        28,
        1,
        3,
        ((2, 0), (9, 4), (33, 22)),
    ),
    Row(
        "lost_update_3x1",
        small.lost_update,
        {"threads": 3},
        280,
        252,
        "0.662037",
        36,
        30,
        1,
        4,
        ((6, 0), (32, 18), (103, 80)),
    ),
)
