"""Options that the commands of several modules share, and how they print."""

from typing import Annotated

import typer

DB_DEFAULT = "gracefuzz.db"
Db = Annotated[str, typer.Option("--db", envvar="GRACEFUZZ_DB", help="The database.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_text(text: str | list[str]) -> None:
    """A text, or lines below each other."""
    print(text if isinstance(text, str) else "\n".join(text))
