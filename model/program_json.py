"""Programs to JSON and back; the form starts with a version, and what is read is validated."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from enum import StrEnum
from typing import Any

from model import expressions, program
from model.program import FORMAT_VERSION, Program, Step
from model.validation import ProgramError, validate

_CLASSES: dict[str, type] = {
    cls.__name__: cls
    for module in (expressions, program)
    for cls in vars(module).values()
    if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}


def to_json(subject: Program) -> str:
    """One line of canonical JSON."""
    return _dump({"version": FORMAT_VERSION, "program": _encode(subject, lines=True)})


def from_json(text: str) -> Program:
    """The program that `to_json` wrote. Raises ProgramError for any other text."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ProgramError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("version") != FORMAT_VERSION:
        given = document.get("version") if isinstance(document, dict) else None
        raise ProgramError(
            f"version {given!r} of the program format; this engine reads {FORMAT_VERSION}"
        )
    try:
        subject = _decode(document["program"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProgramError(f"damaged program: {type(error).__name__}: {error}") from None
    if not isinstance(subject, Program):
        raise ProgramError("damaged program: the outermost object is not a Program")
    validate(subject)
    return subject


def digest(subject: Program) -> str:
    """SHA-256 of the meaning, as 64 hexadecimal digits: line numbers do not count."""
    return hashlib.sha256(_dump(_encode(subject, lines=False)).encode()).hexdigest()


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _encode(value: Any, *, lines: bool) -> Any:
    if isinstance(value, tuple):
        return [_encode(item, lines=lines) for item in value]
    if not dataclasses.is_dataclass(value):
        return str(value) if isinstance(value, StrEnum) else value
    encoded: dict[str, Any] = {"is": type(value).__name__}
    for field in dataclasses.fields(value):
        skipped = isinstance(value, Step) and field.name == "line"
        if lines or not skipped:
            encoded[field.name] = _encode(getattr(value, field.name), lines=lines)
    return encoded


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    cls = _CLASSES[value["is"]]
    fields = {name: _decode(item) for name, item in value.items() if name != "is"}
    if cls is program.Site:
        fields["oracle"] = program.Oracle(fields["oracle"])
    return cls(**fields)
