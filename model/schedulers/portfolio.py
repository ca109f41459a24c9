"""A portfolio of schedulers: a bandit that decides, turn by turn, which of them executes blocks.

The blocks of a campaign are divided into turns by their numbers alone: six of one block, then each
a sixth of what came before it, up to 24 blocks, later 1/64; so n blocks have some 64 log n turns.
Which scheduler a turn has is a decision, taken from the results of turns before it, and a row.
With its rows given, a campaign executes the same again: a block does not ask who decided.

The first three rounds go to each scheduler in turn. Then each is owed a share of the blocks: a half
is divided evenly, so that none is ever given up, and a half in proportion to what its last turns
have found that was new, per step. Three kinds of coverage are counted (ordered conflicting pairs,
classes of executions, states), each with one vote of the same weight, whatever its numbers are.
Who is furthest below its share of the blocks, the older the less they count, is next.

The first turn of a scheduler is not sampled, so that it costs no compiling; the second shows what
any scheduler shows, and is not counted where there are later ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.coverage import Coverage
from model.program import Program
from model.schedulers.named import name_of, scheduler_named
from model.schedulers.scheduler import SchedulerError

Hashes = NDArray[np.uint64]

PORTFOLIO = "portfolio"
# What is compiled soonest and finds most comes first: of 100 threads, seconds are waited for.
ARMS = ("preemption_bounded", "surw", "pos", "pct", "urw", "uniform_walk")
ARMS_MAX = 8
ROUNDS = 3
TURNS_COUNTED = 4
EVENLY = 0.5

FIRST_TURNS = 6
SAMPLED_EVERY = 24
SAMPLED_FIRST = 1
PART = 64


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The schedulers, by name, in the order in which they are tried first."""

    arms: tuple[str, ...] = ARMS

    def __post_init__(self) -> None:
        if not 2 <= len(self.arms) <= ARMS_MAX or len(set(self.arms)) < len(self.arms):
            raise SchedulerError(
                f"a portfolio has 2 to {ARMS_MAX} schedulers, each once\n"
                f"    write {PORTFOLIO}, or {PORTFOLIO}:surw+pct:d=4+pos"
            )
        for arm in self.arms:
            scheduler_named(arm)

    def prepared(self, program: Program) -> Portfolio:
        """The same with everything settled that its schedulers estimate from the program."""
        return Portfolio(
            tuple(name_of(scheduler_named(arm).prepared(program)) for arm in self.arms)
        )

    @property
    def name(self) -> str:
        """How it is written."""
        return f"{PORTFOLIO}:{'+'.join(self.arms)}"


def portfolio_named(text: str) -> Portfolio | None:
    """The portfolio of `portfolio` or `portfolio:NAME+NAME+...`; None for any other name.

    Raises SchedulerError where one of its schedulers is none.
    """
    name, _, written = text.partition(":")
    if name != PORTFOLIO:
        return None
    return Portfolio(tuple(written.split("+"))) if written else Portfolio()


# -- turns -----------------------------------------------------------------------------------------


def blocks_of_turn(first: int) -> int:
    """How many blocks the turn has that begins with this one."""
    if first < FIRST_TURNS * SAMPLED_EVERY:
        return max(1, first // FIRST_TURNS)
    return max(SAMPLED_EVERY, first // PART)


@lru_cache(maxsize=1)
def _last_of_small_turns() -> frozenset[int]:
    """The last block of each turn that is smaller than SAMPLED_EVERY, but for the first ones."""
    found, first = set(), FIRST_TURNS
    while blocks_of_turn(first) < SAMPLED_EVERY:
        first += blocks_of_turn(first)
        found.add(first - 1)
    return frozenset(found)


def is_sampled(block: int) -> bool:
    """True for one block of every turn, but the first ones, and for one in SAMPLED_EVERY at least.

    The block's number alone decides.
    """
    small = _last_of_small_turns()
    return block in small or (block > max(small) and block % SAMPLED_EVERY == SAMPLED_FIRST)


@dataclass(frozen=True, slots=True)
class Gains:
    """What blocks have shown: addable counts. Of coverage, what the campaign had not seen before.

    `executions` are those that were sampled.
    """

    blocks: int = 0
    schedules: int = 0
    steps: int = 0
    violations: int = 0
    executions: int = 0
    pairs: int = 0
    classes: int = 0
    states: int = 0

    def __add__(self, other: Gains) -> Gains:
        return Gains(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def sampled_steps(self) -> float:
        """About how many steps the sampled executions had."""
        return self.executions * self.steps / self.schedules if self.schedules else 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A decision: who executes these blocks; and what those of them have shown that are counted."""

    first_block: int
    blocks: int
    scheduler: str
    gains: Gains = field(default_factory=Gains)

    @property
    def stop(self) -> int:
        """The block after the last."""
        return self.first_block + self.blocks


def shares(turns: Iterable[Turn]) -> Mapping[str, Gains]:
    """What each scheduler has done, in the order of their first turns."""
    found: dict[str, Gains] = {}
    for turn in turns:
        found[turn.scheduler] = found.get(turn.scheduler, Gains()) + turn.gains
    return found


def gains_object(gains: Gains) -> dict[str, str]:
    """For JSON; counts are text, because they may pass 2^53."""
    return {name: str(getattr(gains, name)) for name in Gains.__slots__}


def news(before: Coverage, more: Coverage) -> tuple[int, int, int]:
    """How many pairs, classes and states `more` has that `before` has not.

    Of classes and states, those whose hashes are kept tell how many: about, where not all are.
    """
    after = before + more
    classes = _fresh(before.classes.rows[:, 0], after.classes.rows[:, 0]) / after.classes.share
    kept = after.states.hashes
    states = _fresh(before.states.hashes, kept) * after.states.count / max(1, len(kept))
    return len(after.pairs) - len(before.pairs), round(classes), round(states)


def _fresh(before: Hashes, after: Hashes) -> int:
    """How many sorted hashes are new; those that made room for them do not count."""
    return len(np.setdiff1d(after, before, assume_unique=True))


# -- deciding --------------------------------------------------------------------------------------


def chosen(arms: Sequence[str], turns: Sequence[Turn]) -> str:
    """Who has the next turn: a function of the turns so far, with what they have shown by now."""
    if len(turns) < ROUNDS * len(arms):
        return arms[len(turns) % len(arms)]
    owed = _owed(arms, turns)
    given = dict.fromkeys(arms, 0.0)
    for turn in turns:
        for arm in arms:
            given[arm] *= 1 - 1 / (TURNS_COUNTED * len(arms))
        given[turn.scheduler] += turn.blocks
    total = sum(given.values())
    return max(arms, key=lambda arm: owed[arm] * total - given[arm])


def _owed(arms: Sequence[str], turns: Sequence[Turn]) -> dict[str, float]:
    """For each its share of the blocks; they add up to 1."""
    found = {arm: _lately(turns, arm) for arm in arms}
    votes = []
    for kind in ("pairs", "classes", "states"):
        rates = [
            getattr(found[arm], kind) / found[arm].sampled_steps if found[arm].executions else 0.0
            for arm in arms
        ]
        if any(rates):
            votes.append([rate / sum(rates) for rate in rates])
    if not votes:
        return {arm: 1 / len(arms) for arm in arms}
    means = [sum(column) / len(votes) for column in zip(*votes, strict=True)]
    return {
        arm: EVENLY / len(arms) + (1 - EVENLY) * mean for arm, mean in zip(arms, means, strict=True)
    }


def _lately(turns: Sequence[Turn], arm: str) -> Gains:
    """What the last sampled turns of a scheduler have shown: its first counts only if alone."""
    sampled = [turn for turn in turns if turn.scheduler == arm and turn.gains.executions]
    return sum((turn.gains for turn in (sampled[1:] or sampled)[-TURNS_COUNTED:]), Gains())
