"""The options `--fail-on` and `--baseline`, as fuzz, verify and matrix have them."""

from enum import StrEnum
from typing import Annotated

import typer


class FailOn(StrEnum):
    """Which failures make the exit code 1."""

    ANY = "any"
    NEW = "new"


BaselineName = Annotated[
    str | None,
    typer.Option(
        "--baseline", metavar="NAME|FILE", help="With --fail-on new: what is known and not new."
    ),
]
FailingOn = Annotated[
    FailOn, typer.Option("--fail-on", help="Exit with 1 for any failure, or for new ones only.")
]


def only_new(fail_on: FailOn, baseline: str | None) -> bool:
    """Whether known failures do not count; BadParameter for a baseline nobody would look at."""
    if baseline is not None and fail_on is not FailOn.NEW:
        raise typer.BadParameter("--baseline says what is not new: it needs --fail-on new")
    return fail_on is FailOn.NEW
