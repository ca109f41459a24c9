"""`gracefuzz`: the command line, put together from what each package contributes.

Results go to stdout, messages to stderr. The exit code is 0 where all is clean, 1 where violations
were found, 2 for what the person can mend, 3 for what gracefuzz or its surroundings did, 4 where
verifying found nothing and proved nothing, or nothing can be said of mutants.
"""

import errno
import gc
import os
import sys
import tempfile
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer
from typer import TyperException

from model.language.errors import LanguageError, ParameterError

USAGE = 2
INFRASTRUCTURE = 3
ABORTED = 130
# How many objects are made before Python looks for cycles among them; its default is 700.
GARBAGE_OBJECTS = 20_000
# A terminal that was closed, a pipe that nobody reads.
READER_IS_GONE = (errno.EIO, errno.EPIPE)
# Names a file that holds what GRACEFUZZ_DB would.
DB_FILE = "GRACEFUZZ_DB_FILE"

HELP = """
Fuzz lock-free protocols in the style of the Linux kernel.

A protocol is a small program; gracefuzz runs it under billions of thread schedules, keeps the
smallest interleaving that breaks it, and stores that.

Start here:

  gracefuzz programs

  gracefuzz fuzz thp_split

  gracefuzz verify thp_split

  gracefuzz matrix use-rcu-to-stabilize-page-counts --brief

  gracefuzz failures list

  gracefuzz up
"""


def main() -> None:
    """The entry point of the `gracefuzz` script."""
    # Modules and circuits stay: looking through them for garbage took a tenth of a start.
    gc.set_threshold(GARBAGE_OBJECTS)
    try:
        take_secrets()
    except OSError as error:
        say(f"gracefuzz: cannot read the file that {DB_FILE} names: {error.strerror}")
        sys.exit(USAGE)
    sys.exit(execute(sys.argv[1:]))


def take_secrets() -> None:
    """The URL of the database from a file, where secrets are files. Raises OSError."""
    path = os.environ.get(DB_FILE)
    if path and not os.environ.get("GRACEFUZZ_DB"):
        os.environ["GRACEFUZZ_DB"] = Path(path).read_text(encoding="utf-8").strip()


def execute(arguments: list[str]) -> int:
    """Execute a command line and give its exit code; every error becomes a sentence here."""
    try:
        given = build().__call__(arguments, standalone_mode=False)
    except TyperException as error:
        show_usage_error(error)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return ABORTED
    except SystemExit as ended:
        # After completing a word, and Typer's way to say that nobody reads our output any more.
        return INFRASTRUCTURE if ended.code else 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in READER_IS_GONE:
            say(f"gracefuzz: {error}")
            return INFRASTRUCTURE
        code = exit_code_of(error)
        say(str(error) if code is not None else unexpected(error))
        return INFRASTRUCTURE if code is None else code
    return given if isinstance(given, int) else 0


def build() -> typer.Typer:
    """The app with the commands of every installed package."""
    app = typer.Typer(
        name="gracefuzz",
        help=HELP,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for entry in sorted(entry_points(group="gracefuzz.commands"), key=lambda each: each.name):
        entry.load()(app)
    return app


def exit_code_of(error: Exception) -> int | None:
    """The exit code of an error that has a sentence for a person; None for our own mistake."""
    # Imported here: SQL is not needed to say what a command is called.
    from model.promela import CannotExport
    from model.schedulers.scheduler import SchedulerError
    from model.series import SeriesError
    from service.bundle_reading import BundleError
    from service.exporting import OutputError
    from service.remote import RemoteFailed, RemoteRefused
    from service.serve_command import CannotServe
    from service.up_command import WorkersFailed
    from storage.access import TokenError
    from storage.errors import (
        BaselineError,
        CampaignBusy,
        LifeError,
        NotResumable,
        StorageError,
        UnknownCampaign,
        UnknownFailure,
        UnknownProgram,
        WebhookError,
    )
    from storage.sources import SourceError
    from storage.steering import NotSteerable

    codes: dict[type[Exception], int] = {
        BundleError: USAGE,
        CannotExport: USAGE,
        LanguageError: USAGE,
        OutputError: USAGE,
        ParameterError: USAGE,
        SchedulerError: USAGE,
        SeriesError: USAGE,
        SourceError: USAGE,
        TokenError: USAGE,
        CampaignBusy: USAGE,
        NotResumable: USAGE,
        NotSteerable: USAGE,
        UnknownCampaign: USAGE,
        UnknownFailure: USAGE,
        UnknownProgram: USAGE,
        RemoteRefused: USAGE,
        CannotServe: INFRASTRUCTURE,
        RemoteFailed: INFRASTRUCTURE,
        WorkersFailed: INFRASTRUCTURE,
        LifeError: USAGE,
        BaselineError: USAGE,
        WebhookError: USAGE,
        StorageError: INFRASTRUCTURE,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), None)


def unexpected(error: Exception) -> str:
    """What to say of our own mistake; the traceback goes to a file, or to stderr with --debug."""
    text = "".join(traceback.format_exception(error))
    said = f"gracefuzz failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if os.environ.get("GRACEFUZZ_DEBUG"):
        return f"{text}{said}\n    this is a defect of gracefuzz: please report it"
    with tempfile.NamedTemporaryFile(
        "w", prefix="gracefuzz-", suffix=".traceback", delete=False
    ) as file:
        file.write(text)
    return f"{said}\n    this is a defect of gracefuzz: please report it with {file.name}"


def show_usage_error(error: TyperException) -> None:
    """As Typer shows it, in plain text on stderr."""
    show = getattr(error, "show", None)
    if show is None:
        say(error.format_message())
    else:
        show(file=sys.stderr)


def say(sentence: str) -> None:
    """A message on stderr, which may be gone."""
    try:
        print(sentence, file=sys.stderr)
    except OSError:
        return


def print_version(wanted: bool) -> None:
    """What --version does, before a command is looked for."""
    if wanted:
        from service.release import build_information

        print(build_information())
        raise typer.Exit


def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and what it was built from, and exit.",
            is_eager=True,
            callback=print_version,
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
) -> None:
    """Options that stand before the command."""
    if debug:
        os.environ["GRACEFUZZ_DEBUG"] = "1"
