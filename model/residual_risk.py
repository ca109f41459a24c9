"""What executions that were seen say of those that were not, and how seeing grew.

All of it stands on executions that are independent of each other and alike: the scheduler must not
learn from one execution how to choose in the next. Inside a block that holds too, although a block
executes as many as fit into its passes: it ends only when all that it started have ended, so which
of them count does not depend on how they ended or how long they took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import expm1, log, sqrt

from model.class_sample import ClassSample
from model.coverage import Coverage
from model.schedulers.exhaustive import EXHAUSTIVE

CONFIDENCE = 0.95
DEVIATIONS = 1.645
"""Standard deviations that a normal variable exceeds with a probability of 5 %."""
POINTS = 32
INDEPENDENT_SCHEDULERS = frozenset(
    {"uniform_walk", "pct", "pos", "urw", "surw", "preemption_bounded"}
)
"""Names of those that choose without regard to earlier executions; of others nothing is said."""


class Validity(StrEnum):
    """Whether the figures may be believed. The value is the sentence that is shown."""

    VALID = "executions are independent of each other"
    ADAPTIVE = "invalid: the scheduler learns from executions, so they are not independent"
    ENUMERATED = "nothing is estimated: schedules are enumerated, not drawn"
    TOO_FEW = "no execution was sampled"


@dataclass(frozen=True, slots=True)
class ClassesLeft:
    """Of the classes of executions: how many were seen, how many there are at least, and the
    probability that the next execution is of a class that was not seen.

    `unseen` is that probability (Good, Biometrika 1953, after Turing), `unseen_max` an upper bound
    of it that holds in 95 % of all campaigns, `at_least` a lower bound of the number of classes
    (Chao, Scandinavian Journal of Statistics 1984, corrected for bias).
    """

    seen: float
    exact: bool
    once: float
    twice: float
    at_least: float
    unseen: float
    unseen_max: float


def classes_left(classes: ClassSample, executions: int) -> ClassesLeft:
    """The estimates after so many executions, of which there must be one.

    The bound is a score bound (Wilson 1927) with the variance of Esty (Annals of Statistics 1983),
    to which the sampling of the classes adds, and no smaller than the rule of three. The normal
    bound is too small where few classes were seen once.
    """
    assert executions > 0
    once, twice = classes.seen(1), classes.seen(2)
    more = once * (once - 1) / (2 * (twice + 1)) if once else 0.0
    unseen = min(1.0, once / executions)
    variance = once * (1 - unseen) + 2 * twice + once * (1 / classes.share - 1)
    square = DEVIATIONS**2
    bound = unseen + (square / 2 + sqrt(square * variance + square**2 / 4)) / executions
    return ClassesLeft(
        classes.classes,
        classes.is_exact,
        once,
        twice,
        classes.classes + max(0.0, more),
        unseen,
        min(1.0, max(bound, rarer_than(executions))),
    )


def rarer_than(executions: int) -> float:
    """What never happened in so many executions has at most this probability (95 % confidence).

    About 3 / n, the rule of three (Hanley and Lippman-Hand, JAMA 1983).
    """
    assert executions > 0
    return -expm1(log(1 - CONFIDENCE) / executions)


def validity(executions: int, *, scheduler: str) -> Validity:
    """Whether anything can be said of executions under a scheduler, given by name."""
    name = scheduler.partition(":")[0]
    if name == EXHAUSTIVE:
        return Validity.ENUMERATED
    if name not in INDEPENDENT_SCHEDULERS:
        return Validity.ADAPTIVE
    return Validity.VALID if executions else Validity.TOO_FEW


@dataclass(frozen=True, slots=True)
class Point:
    """What the blocks below `blocks` had shown: pairs exactly, classes as they are estimated."""

    blocks: int
    pairs: int
    classes: float


def discovery(coverage: Coverage) -> tuple[Point, ...]:
    """How pairs and classes grew with the number of blocks: at most POINTS points.

    The blocks of the points grow geometrically, to that of the last discovery. Everything keeps the
    first block that showed it, so the curve is the same however the work was divided.
    """
    pairs = sorted(shown.first_block for shown in coverage.pairs.values())
    classes = sorted(coverage.classes.counted[:, 2].tolist())
    last = max([*pairs[-1:], *classes[-1:]], default=-1) + 1
    ends = sorted({round(last ** (k / (POINTS - 1))) for k in range(POINTS)} if last else ())
    return tuple(
        Point(end, _below(pairs, end), _below(classes, end) / coverage.classes.share)
        for end in ends
    )


def _below(blocks: Sequence[int], end: int) -> int:
    return sum(block < end for block in blocks)
