"""The command `gracefuzz verify` and its options."""

import re
from typing import Annotated

import typer

from workers.fail_options import BaselineName, FailingOn, FailOn, only_new

CHECKPOINT_DEFAULT = "5m"
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}

HELP = """
Explore every reachable state of a program, and say whether any of them is wrong.

PROGRAM is a name of the library, or path/to/file.py or path/to/file.py:name. States are visited
breadth first, so that the first violation of an oracle is a shortest one; each is then minimized,
proved and stored, as fuzz does with what it finds.

Only a program of which every state was seen is proved. Where the memory is full before that, the
outcome is `bounded, N states`: more than fuzzing would say, and no proof. --bitstate, for what does
not fit, may take a state for another, and proves nothing either. --symmetry changes no verdict;
--no-symmetry counts all states, which `campaigns show` needs to say what part of them fuzzing saw.

The campaign is stored in the database, with a checkpoint at stated times, at Ctrl-C and where the
memory is full. After a kill, --resume goes on from the last one; the program may then be left out.

With --fail-on new, failures that the database had before do not count, unless they had been fixed;
with --baseline besides, those do not that are in it, as with fuzz.

Exit codes: 0 proved, 1 violations found, 2 wrong usage or a wrong program, 3 gracefuzz or its
surroundings failed, 4 nothing found and nothing proved: the memory was full, or it was stopped.

Examples:

  gracefuzz verify thp_split --param gp_cookie=on

  gracefuzz verify ./my_lock.py --memory 16G --checkpoint /var/tmp/my_lock --checkpoint-every 1m

  gracefuzz verify ./my_lock.py --bitstate --memory 2G

  gracefuzz verify ./my_lock.py --fail-on new --baseline known.json

  gracefuzz verify --resume 7

  gracefuzz verify ./my_lock.py --resume 7 --memory 32G --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", help=HELP)(verify_command)


def verify_command(
    program: Annotated[
        str | None, typer.Argument(help="A name of the library, or file.py[:name].")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter; repeatable.")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="What the states may take: 512M, 8G. [default: 8G, or as before]"
        ),
    ] = None,
    symmetry: Annotated[
        bool | None,
        typer.Option(
            "--symmetry/--no-symmetry",
            help="Visit states that differ in the order of like threads once. [default: symmetry]",
        ),
    ] = None,
    bitstate: Annotated[
        bool, typer.Option("--bitstate", help="Keep some bits of a state: much more fits.")
    ] = False,
    db: Annotated[
        str, typer.Option(envvar="GRACEFUZZ_DB", help="A path, or a postgresql:// URL.")
    ] = "gracefuzz.db",
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Where checkpoints go. [default: beside the database]"),
    ] = None,
    checkpoint_every: Annotated[
        str, typer.Option(metavar="DURATION", help="Take one every 30s, 5m, 1h.")
    ] = CHECKPOINT_DEFAULT,
    resume: Annotated[
        int | None, typer.Option(metavar="CAMPAIGN", help="Go on with this verification.")
    ] = None,
    fail_on: FailingOn = FailOn.ANY,
    baseline: BaselineName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Settle the units and start."""
    # Imported here, and not before: `gracefuzz --help` needs neither SQL nor LLVM.
    from storage.sources import parameters_of
    from workers.commands import seconds_of
    from workers.verifying import VerifyWish, verify

    if program is None and resume is None:
        raise typer.BadParameter("give a PROGRAM, or --resume CAMPAIGN to go on with one")
    if program is None and param:
        raise typer.BadParameter("--param needs the PROGRAM that it belongs to")
    if resume is not None and (symmetry is not None or bitstate):
        raise typer.BadParameter(
            "a verification goes on as it began: leave out --symmetry and --bitstate"
        )
    wish = VerifyWish(
        program=program,
        parameters=parameters_of(param or []),
        memory_bytes=None if memory is None else bytes_of(memory),
        symmetry=symmetry is not False,
        bitstate=bitstate,
        database=db,
        checkpoint=checkpoint,
        checkpoint_seconds=seconds_of(checkpoint_every),
        resume=resume,
        only_new=only_new(fail_on, baseline),
        baseline=baseline,
        as_json=as_json,
    )
    raise typer.Exit(int(verify(wish)))


def bytes_of(text: str) -> int:
    """`512M`, `8G`, `8GiB`, or a number of bytes; K, M, G and T are powers of 1024.

    Raises BadParameter.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    count = int(float(match[1]) * (1 << _UNITS[match[2].upper()])) if match else 0
    if not 0 < count < 1 << 62:
        raise typer.BadParameter(f"{text!r} is no size of memory: give 512M, 8G or 1T")
    return count
