"""What a campaign can be asked for by name: a scheduler, a portfolio of several, every schedule."""

from __future__ import annotations

from model.program import Program
from model.schedulers.exhaustive import Exhaustive, exhaustive_named
from model.schedulers.named import SCHEDULERS, name_of, scheduler_named
from model.schedulers.portfolio import Portfolio, portfolio_named
from model.schedulers.scheduler import Scheduler, SchedulerError


def wanted(text: str) -> Scheduler | Portfolio | Exhaustive:
    """What is written as `NAME` or `NAME:OPTIONS`. Raises SchedulerError."""
    found = portfolio_named(text) or exhaustive_named(text)
    if found is not None:
        return found
    name = text.partition(":")[0]
    if name not in SCHEDULERS:
        raise SchedulerError(
            f"no scheduler is called {name!r}\n"
            f"    there are {', '.join(SCHEDULERS)}, portfolio, exhaustive"
        )
    return scheduler_named(text)


def settled(text: str, program: Program) -> str:
    """The same with everything that it estimates from a program written out."""
    prepared = wanted(text).prepared(program)
    if isinstance(prepared, Portfolio | Exhaustive):
        return prepared.name
    return name_of(prepared)


def first_wanted(text: str) -> Scheduler | None:
    """The scheduler of the first block; None where none chooses."""
    found = wanted(text)
    if isinstance(found, Portfolio):
        return scheduler_named(found.arms[0])
    return None if isinstance(found, Exhaustive) else found
