"""What is written for other tools to read."""

import sys
from pathlib import Path


class OutputError(ValueError):
    """A file cannot be written; the message says which and why."""


def write_new(file: Path, text: str | bytes) -> None:
    """Write a file that is not there yet. Raises OutputError where it is, or cannot be written."""
    try:
        with file.open("xb") as opened:
            opened.write(text.encode() if isinstance(text, str) else text)
    except FileExistsError:
        raise OutputError(f"{file} exists\n    give another name, or remove it first") from None
    except OSError as error:
        raise OutputError(
            f"{file} cannot be written: {error.strerror}\n    give a path that can be"
        ) from error
    print(f"wrote {file}", file=sys.stderr)
