"""Schedulers by name: `pct:d=3,k=40` is one as a person writes it and as a campaign keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import get_type_hints

from model.schedulers.pct import Pct
from model.schedulers.pos import Pos
from model.schedulers.preemption_bounded import PreemptionBounded
from model.schedulers.scheduler import Scheduler, SchedulerError
from model.schedulers.surw import Surw
from model.schedulers.uniform_walk import UniformWalk
from model.schedulers.urw import Urw

UNIFORM_WALK = "uniform_walk"
Kind = type[UniformWalk] | type[Pct] | type[Pos] | type[Urw] | type[Surw] | type[PreemptionBounded]
SCHEDULERS: Mapping[str, Kind] = {
    UNIFORM_WALK: UniformWalk,
    "pct": Pct,
    "pos": Pos,
    "urw": Urw,
    "surw": Surw,
    "preemption_bounded": PreemptionBounded,
}


def scheduler_named(text: str) -> Scheduler:
    """The scheduler of `NAME` or `NAME:OPTION=VALUE,...`. Raises SchedulerError."""
    name, _, written = text.partition(":")
    if name not in SCHEDULERS:
        raise SchedulerError(
            f"no scheduler is called {name!r}\n    there are {', '.join(SCHEDULERS)}"
        )
    made = SCHEDULERS[name]
    kinds = get_type_hints(made)
    options = {}
    for part in written.split(",") if written else ():
        option, _, value = part.partition("=")
        if option not in kinds:
            raise SchedulerError(
                f"{name} has no option {option!r}\n    it has {', '.join(kinds) or 'none'}, "
                f"written {name}:OPTION=VALUE,OPTION=VALUE"
            )
        try:
            options[option] = kinds[option](value)
        except ValueError as error:
            raise SchedulerError(
                f"{value!r} is no value for the option {option} of {name}\n"
                f"    {_values_of(kinds[option])}"
            ) from error
    return made(**options)


def name_of(scheduler: Scheduler) -> str:
    """How it is written, with all its options: what is a default today may be another tomorrow."""
    name = next(name for name, made in SCHEDULERS.items() if isinstance(scheduler, made))
    options = [
        f"{field.name}={getattr(scheduler, field.name)}" for field in fields(SCHEDULERS[name])
    ]
    return f"{name}:{','.join(options)}" if options else name


def as_option(name: str) -> str:
    """How a command names a scheduler: nothing for the uniform walk."""
    return "" if name == UNIFORM_WALK else f" --scheduler {name}"


def _values_of(kind: type) -> str:
    if issubclass(kind, StrEnum):
        return f"give {' or '.join(kind)}"
    return "give a whole number"
