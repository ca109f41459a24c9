"""The command `gracefuzz matrix` and its options."""

from typing import Annotated

import typer

from workers.fail_options import BaselineName, FailingOn, FailOn, only_new

SEED_MAX = 2**64 - 1
BLOCKS_DEFAULT = 2
MEMORY_DEFAULT = 1 << 30

HELP = """
Judge every prefix of a patch series, and the series without each of its patches.

SERIES is a name of the library, or path/to/file.py or path/to/file.py:name, where the file has a
Series (from model.series import Series, SeriesPatch). For each program of the series there is a row
for anything that is wrong, one for the oracle that a patch adds, and one for each signature that is
violated in some column. A column is a set of patches: none, 1, 1-2 …, then all but one.

Each program is explored, fuzzed (with SURW where exploring has shown a violation), and its
violations minimized, with proof, and stored as failures. Columns that fold to the same steps are
judged once. What is stored in the database is not done again: after Ctrl-C, which keeps what is
there, the same command goes on.

Where the oracle that a patch adds is violated, the same column is judged without that patch too:
what shows there stands as found behind the assertion.

Exit codes: 0 the whole series is clean, and no prefix opens a violation; 1 otherwise; 2 wrong usage
or a wrong series; 3 gracefuzz or its surroundings failed; 4 it was stopped, or not every state was
seen.

With --fail-on new, failures that the database had before do not count, unless they had been fixed;
with --baseline besides, those do not that are in it, as with fuzz.

Examples:

  gracefuzz matrix use-rcu-to-stabilize-page-counts

  gracefuzz matrix use-rcu-to-stabilize-page-counts --brief --picture matrix.html

  gracefuzz matrix ./my_series.py --markdown --workers 4 --db my.db

  gracefuzz matrix ./my_series.py --fail-on new --baseline known.json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("matrix", help=HELP)(matrix_command)


def matrix_command(
    series: Annotated[str, typer.Argument(help="A name of the library, or file.py[:name].")],
    brief: Annotated[
        bool, typer.Option("--brief", help="A table without the rows of signatures.")
    ] = False,
    blocks: Annotated[
        int, typer.Option(min=1, help="Fuzz a program for up to so many blocks.")
    ] = BLOCKS_DEFAULT,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="What the states of a program may take. [default: 1G]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="The root seed.")] = 1,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Worker processes; 0: this process. [default: one a core]"),
    ] = None,
    db: Annotated[
        str, typer.Option(envvar="GRACEFUZZ_DB", help="A path, or a postgresql:// URL.")
    ] = "gracefuzz.db",
    picture: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a heat map: FILE.svg or FILE.html.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    fail_on: FailingOn = FailOn.ANY,
    baseline: BaselineName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Settle the units and start."""
    # Imported here, and not before: `gracefuzz --help` needs neither SQL nor LLVM.
    from workers.commands import INFRASTRUCTURE, cores
    from workers.errors import PoolError
    from workers.judging import MatrixWish, judge_series
    from workers.verify_command import bytes_of

    if markdown and as_json:
        raise typer.BadParameter("give --markdown or --json, not both")
    if picture is not None and not picture.endswith((".svg", ".html")):
        raise typer.BadParameter(f"{picture!r} is no picture: give a name in .svg or .html")
    wish = MatrixWish(
        series=series,
        brief=brief,
        blocks_max=blocks,
        memory=MEMORY_DEFAULT if memory is None else bytes_of(memory),
        seed=seed,
        workers=cores() if workers is None else workers,
        database=db,
        picture=picture,
        markdown=markdown,
        only_new=only_new(fail_on, baseline),
        baseline=baseline,
        as_json=as_json,
    )
    try:
        code = int(judge_series(wish))
    except PoolError as error:
        typer.echo(f"gracefuzz: {error}", err=True)
        code = INFRASTRUCTURE
    raise typer.Exit(code)
