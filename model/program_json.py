"""Programs to JSON and back; the form starts with a version, and what is read is validated."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from model.program import FORMAT_VERSION, Oracle, Program, Step
from model.validation import ProgramError, validate


def to_json(subject: Program) -> str:
    """One line of canonical JSON."""
    return _dump({"version": FORMAT_VERSION, "program": _encode(subject, lines=True)})


def from_json(text: str) -> Program:
    """The program that `to_json` wrote. Raises ProgramError for any other text."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProgramError(f"not JSON: {error}") from None
    given = document.get("version") if isinstance(document, dict) else None
    if type(given) is not int or given != FORMAT_VERSION:
        raise ProgramError(
            f"version {given!r} of the program format; this engine reads {FORMAT_VERSION}"
        )
    try:
        subject = _decode(document["program"], Program)
        validate(subject)
    except ProgramError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ProgramError(f"damaged program: {type(error).__name__}: {error}") from None
    assert isinstance(subject, Program)
    return subject


def digest(subject: Program) -> str:
    """SHA-256 of the meaning, as 64 hexadecimal digits: line numbers do not count."""
    return hashlib.sha256(_dump(_encode(subject, lines=False)).encode()).hexdigest()


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _encode(value: Any, *, lines: bool) -> Any:
    if isinstance(value, tuple):
        return [_encode(item, lines=lines) for item in value]
    kind: Any = type(value)
    names = _fields(kind)
    if names is None:
        return str(value) if isinstance(value, StrEnum) else value
    encoded: dict[str, Any] = {"is": kind.__name__}
    for name in names:
        if lines or name != "line" or not isinstance(value, Step):
            encoded[name] = _encode(getattr(value, name), lines=lines)
    return encoded


@cache
def _fields(cls: Any) -> tuple[str, ...] | None:
    """The fields of a class of the IR; None for any other class."""
    if not dataclasses.is_dataclass(cls):
        return None
    return tuple(field.name for field in dataclasses.fields(cls))


def _decode(value: Any, hint: Any) -> Any:
    """What was encoded, where it is of the type that its place asks for. Raises TypeError."""
    if get_origin(hint) in (UnionType, Union):
        return _decode(value, _member(value, get_args(hint)))
    if get_origin(hint) is tuple:
        return _decode_tuple(value, get_args(hint))
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict) or value.get("is") != hint.__name__:  # type: ignore[union-attr]
            raise TypeError(f"no {hint.__name__}: {value!r:.60}")  # type: ignore[union-attr]
        hints = _hints(hint)  # type: ignore[arg-type]
        given = {name: item for name, item in value.items() if name != "is"}
        return hint(**{name: _decode(item, hints[name]) for name, item in given.items()})  # type: ignore[operator]
    if hint is Oracle:
        return Oracle(value)
    if type(value) is not hint:
        raise TypeError(f"no {hint.__name__}: {value!r:.60}")
    return value


def _member(value: Any, members: tuple[Any, ...]) -> Any:
    """The member of a union that a value is to be: by its class, or by its Python type."""
    if isinstance(value, dict):
        return next((m for m in members if m.__name__ == value["is"]), members[0])
    if isinstance(value, bool) and int in members:
        return bool  # a parameter that is a switch
    return next((m for m in members if m is type(value)), members[0])


def _decode_tuple(value: Any, items: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"no list: {value!r:.60}")
    hints = items[:1] * len(value) if items[1:] == (...,) else items
    return tuple(_decode(item, hint) for item, hint in zip(value, hints, strict=True))


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)
