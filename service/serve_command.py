"""`gracefuzz serve`: the API and the pages, on loopback unless told otherwise."""

import ipaddress
import socket
from typing import Annotated

import typer

PORT_DEFAULT = 8080
LOOPBACK = "127.0.0.1"

SERVE_HELP = """
Serve the API and the pages over a database, until Ctrl-C or SIGTERM.

Campaigns are executed by other processes: start them with gracefuzz fuzz, beside this one. On
loopback everybody on this machine may read. Any other address is refused as long as the database
holds no token.

Examples:

  gracefuzz serve

  gracefuzz serve --db campaigns.db --port 9000
"""


class CannotServe(Exception):
    """The address cannot be served; the message says why and what would do."""


def serve_command(
    db: Annotated[str, typer.Option("--db", envvar="GRACEFUZZ_DB")] = "gracefuzz.db",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = PORT_DEFAULT,
) -> None:
    """Serve until told to stop."""
    import uvicorn

    from service.web.app import create_app
    from storage.session import open_database

    refuse_open_address(host)
    with open_database(db) as database:
        listening = listen(host, port)
        shown = f"http://{_in_url(host)}:{listening.getsockname()[1]}"
        typer.echo(f"gracefuzz serves {shown} from {database.path}; Ctrl-C ends it")
        config = uvicorn.Config(create_app(database), log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[listening])


def refuse_open_address(host: str) -> None:
    """Raise BadParameter for an address that others than this machine can reach."""
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        said = f"{host!r} is no IP address: give one, or leave --host out"
        raise typer.BadParameter(said) from None
    if not inside:
        raise typer.BadParameter(
            f"cannot listen on {host}: others than this machine could reach it without a token\n"
            "    leave --host out, and let a reverse proxy with authentication stand before it"
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
