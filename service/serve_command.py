"""`gracefuzz serve`: the API and the pages, on loopback unless told otherwise."""

import ipaddress
import socket
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import uvicorn

    from storage.session import Database

PORT_DEFAULT = 8080
LOOPBACK = "127.0.0.1"

SERVE_HELP = """
Serve the API and the pages over a database, until Ctrl-C or SIGTERM.

Campaigns are executed by other processes: gracefuzz workers, gracefuzz fuzz, beside this one;
gracefuzz up has all in one. On loopback everybody on this machine may come in as long as the
database holds no token (gracefuzz token create); any other address is refused until it does.

Examples:

  gracefuzz serve

  gracefuzz serve --db campaigns.db --port 9000

  gracefuzz token create team --scope operate && gracefuzz serve --host 0.0.0.0
"""


class CannotServe(Exception):
    """The address cannot be served; the message says why and what would do."""


def serve_command(
    db: Annotated[str, typer.Option("--db", envvar="GRACEFUZZ_DB")] = "gracefuzz.db",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = PORT_DEFAULT,
) -> None:
    """Serve until told to stop."""
    from storage.access import has_tokens
    from storage.session import open_database

    inside = is_loopback(host)
    with open_database(db) as database:
        if not inside:
            with database.read() as session:
                refuse_without_token(host, token_exists=has_tokens(session))
        listening = listen(host, port)
        address = address_of(host, listening)
        typer.echo(f"gracefuzz serves {address} from {database.name}; Ctrl-C ends it")
        server_of(database, is_open=inside).run(sockets=[listening])


def server_of(database: "Database", *, is_open: bool) -> "uvicorn.Server":
    """The HTTP server over an open database, to be run on a listening socket."""
    import uvicorn

    from service.web.app import create_app

    app = create_app(database, is_open=is_open)
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False))


def address_of(host: str, listening: socket.socket) -> str:
    """What a browser asks for."""
    return f"http://{_in_url(host)}:{listening.getsockname()[1]}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address. Raises BadParameter where it is none."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        said = f"{host!r} is no IP address: give one, or leave --host out"
        raise typer.BadParameter(said) from None


def refuse_without_token(host: str, *, token_exists: bool) -> None:
    """Raise BadParameter where others could come in without a token."""
    if not token_exists:
        raise typer.BadParameter(
            f"cannot listen on {host}: others than this machine could come in without a token\n"
            "    make one first: gracefuzz token create NAME --scope operate"
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises CannotServe."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise CannotServe(
            f"cannot listen on {host}, port {port}: {error.strerror}\n"
            "    give another --port; 0 takes a free one"
        ) from error
    listening.listen(1024)
    return listening


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
