"""What a request asks for, read from its URL and held within bounds."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from threading import Lock
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BeforeValidator

from model.language import ProgramSource
from model.language.parameters import Param
from model.program import Program
from service.web.problems import Refused
from storage.search import FailureOrder, FailureQuery
from storage.sources import compile_source, library, parameters_of
from storage.tables import FailureStatus

TEXT_MAX = 200
PARAMETERS_MAX = 32
# Of a parameter, where the default is not larger: a request cannot compile a monster.
NUMBER_MAX = 64
PROGRAMS_KEPT = 32
# A form sends every field: an empty one asks for nothing.
_empty_is_none = BeforeValidator(lambda given: None if given == "" else given)
Text = Annotated[str | None, Query(max_length=TEXT_MAX), _empty_is_none]
Moment = Annotated[datetime | None, _empty_is_none]
_compiling = Lock()


def failure_query(
    program: Text = None,
    oracle: Text = None,
    status: Annotated[FailureStatus | None, _empty_is_none] = None,
    preemptions_max: Annotated[int | None, Query(ge=0, le=1000), _empty_is_none] = None,
    seen_after: Moment = None,
    seen_before: Moment = None,
    order: FailureOrder = FailureOrder.NEWEST,
) -> FailureQuery:
    """The failures that a URL asks for; times without a zone are UTC."""
    return FailureQuery(
        program=program,
        oracle=oracle,
        status=status,
        preemptions_max=preemptions_max,
        seen_after=_in_utc(seen_after),
        seen_before=_in_utc(seen_before),
        order=order,
    )


FailureFilters = Annotated[FailureQuery, Depends(failure_query)]
Params = Annotated[Sequence[str], Query(alias="param", max_length=PARAMETERS_MAX)]


def filters_of(query: FailureQuery) -> dict[str, str]:
    """The query as a URL's parameters, without what is asked by default."""
    default = asdict(FailureQuery())
    return {name: _in_url(value) for name, value in asdict(query).items() if value != default[name]}


def library_source(name: str) -> ProgramSource:
    """A program of this installation by its name: a URL never names a file."""
    if name not in library():
        raise Refused(
            HTTPStatus.NOT_FOUND,
            f"no program is called {name[:TEXT_MAX]!r}: /api/v1/programs lists those there are",
        )
    return library()[name]


def compiled(name: str, parameters: Sequence[str]) -> Program:
    """The program, compiled once for many requests and one at a time."""
    source = library_source(name)
    given = tuple(sorted((key, text[:TEXT_MAX]) for key, text in parameters_of(parameters).items()))
    for key, text in given:
        _refuse_monster(source, key, text)
    with _compiling:
        return _compiled(source.name, given)


def _refuse_monster(source: ProgramSource, name: str, text: str) -> None:
    """Raise Refused for a number that makes a larger program than a request may ask for."""
    parameter = source.parameters.get(name)
    if not isinstance(parameter, Param) or not text.strip().lstrip("+-").isdecimal():
        return
    most = max(NUMBER_MAX, parameter.default)
    if int(text) > most:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{name}={text} is more than a request may ask for: give at most {most}\n"
            "    larger programs are made on the machine: gracefuzz campaigns create",
        )


@lru_cache(PROGRAMS_KEPT)
def _compiled(name: str, given: tuple[tuple[str, str], ...]) -> Program:
    return compile_source(library()[name], dict(given))


def _in_utc(given: datetime | None) -> datetime | None:
    if given is None:
        return None
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def _in_url(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value.value if isinstance(value, Enum) else value)
