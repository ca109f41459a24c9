"""What the `Result:` lines in the header of a program's file claim of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from model.language.declare import ProgramSource

LINE = re.compile(r"Result: (?P<verdict>\w+)(?: \((?P<given>[^)]*)\))?(?:: (?P<sentence>.+))?")


@dataclass(frozen=True)
class Claim:
    """One line of a header: what a program with these parameters does, and which oracle says so."""

    source: ProgramSource
    verdict: str
    parameters: tuple[tuple[str, str], ...]
    sentence: str | None

    def __str__(self) -> str:
        given = ",".join(f"{name}={value}" for name, value in self.parameters)
        return f"{self.source.name}({given})"


def claims_of(source: ProgramSource) -> list[Claim]:
    """The claims in the header of a program's file. Raises ValueError where a line is none."""
    header = source.function.__globals__["__doc__"] or ""
    claims = []
    for line in header.splitlines():
        if not line.startswith("Result:"):
            continue
        match = LINE.fullmatch(line)
        if match is None or match["verdict"] not in ("ok", "violation"):
            raise ValueError(f"{source.file}: no claim: {line}")
        pairs = [pair.partition("=") for pair in (match["given"] or "").split(", ") if pair]
        claims.append(
            Claim(
                source,
                match["verdict"],
                tuple((name, value) for name, _, value in pairs),
                match["sentence"],
            )
        )
    return claims


def clean_configurations(source: ProgramSource) -> list[dict[str, str]]:
    """The parameters of each configuration that is claimed to be clean."""
    return [dict(claim.parameters) for claim in claims_of(source) if claim.verdict == "ok"]
