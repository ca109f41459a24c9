"""What a campaign can be asked for by name: one scheduler, or a portfolio of several."""

from __future__ import annotations

from model.program import Program
from model.schedulers.named import name_of, scheduler_named
from model.schedulers.portfolio import Portfolio, portfolio_named
from model.schedulers.scheduler import Scheduler


def wanted(text: str) -> Scheduler | Portfolio:
    """What is written as `NAME` or `NAME:OPTIONS`. Raises SchedulerError."""
    return portfolio_named(text) or scheduler_named(text)


def settled(text: str, program: Program) -> str:
    """The same with everything that it estimates from a program written out."""
    prepared = wanted(text).prepared(program)
    return prepared.name if isinstance(prepared, Portfolio) else name_of(prepared)


def first_wanted(text: str) -> Scheduler:
    """The scheduler of the first block."""
    found = wanted(text)
    return scheduler_named(found.arms[0]) if isinstance(found, Portfolio) else found
