"""What a person calls a database by: a path, or a URL. Nothing is opened here.

Passwords are read and passed on; what is shown of a location never has one.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from storage.errors import StorageError

# Where commands look when nothing is said.
DEFAULT = "gracefuzz.db"
FORMS = (
    "    give a path, sqlite:///path/to/file.db, or postgresql://USER@HOST:PORT/NAME; a password\n"
    "    may stand in the URL, in PGPASSWORD, or in ~/.pgpass"
)
POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
# What libpq would take as a secret from a URL's query.
SECRETS = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """An SQLite database, by its absolute path."""

    path: Path

    @property
    def shown(self) -> str:
        """As messages name it."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A PostgreSQL database by its `postgresql://` URL, which may hold a password."""

    url: str

    @property
    def shown(self) -> str:
        """As messages name it: the URL without its secrets, so that it can be given again."""
        return without_secrets(self.url)

    @property
    def beside(self) -> Path:
        """Where this machine keeps the files that belong to the database, checkpoints for one."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2] or dict(parse_qsl(parts.query)).get("host", "local")
        name = f"{host}-{unquote(parts.path.strip('/'))}"
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(state).expanduser() / "gracefuzz" / quote(name, safe="")


def locate(location: str | Path) -> SqliteFile | PostgresqlServer:
    """Read a path or a URL. Raises StorageError where it is neither, or names no database."""
    if isinstance(location, Path) or "://" not in location:
        return _file(str(location), location)
    parts = _parts(location)
    if parts.scheme in POSTGRESQL:
        return _server(location)
    if parts.scheme != "sqlite":
        raise StorageError(
            f"cannot open the database {without_secrets(location)}: only SQLite files and "
            f"PostgreSQL are supported\n{FORMS}"
        )
    if parts.netloc or parts.query or parts.fragment:
        raise StorageError(
            f"cannot open the database {without_secrets(location)}: an SQLite URL holds a path and "
            "nothing else\n"
            "    write sqlite:///relative/path.db, or sqlite:////absolute/path.db"
        )
    return _file(unquote(parts.path[1:]), location)


def option_for(location: str) -> str:
    """What to add to a suggested command so that it reads the same database."""
    return "" if location == DEFAULT else f" --db {without_secrets(location)}"


def without_secrets(location: str) -> str:
    """The same location for output and logs; whoever gives it again has the password elsewhere."""
    if "://" not in location:
        return location
    try:
        parts = urlsplit(location)
        query = urlencode([each for each in parse_qsl(parts.query) if each[0] not in SECRETS])
        user, at, host = parts.netloc.rpartition("@")
        asked = f"?{query}" if query else ""
        # Put together by hand: the library leaves out the slashes of a URL without a host.
        return f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}{asked}"
    except ValueError:
        return "a URL that cannot be read"


def _parts(location: str) -> SplitResult:
    try:
        parts = urlsplit(location)
        # Asked for because it is checked only then.
        readable = bool(parts.scheme) and (parts.port is None or parts.port > 0)
    except ValueError:
        readable = False
    if not readable:
        # The text may hold a password: it is not repeated.
        raise StorageError(f"cannot open the database: its URL cannot be read\n{FORMS}")
    return parts


def _server(location: str) -> PostgresqlServer:
    _, colon, rest = location.partition(":")
    server = PostgresqlServer(f"postgresql{colon}{rest}")
    if not urlsplit(server.url).path.strip("/"):
        raise StorageError(
            f"cannot open the database {server.shown}: the URL does not say which one of the "
            f"server's\n{FORMS}"
        )
    return server


def _file(text: str, location: str | Path) -> SqliteFile:
    if text in ("", ":memory:"):
        raise StorageError(
            f"cannot open the database {str(location)!r}: it would be lost with the process\n"
            "    give the path of a file"
        )
    return SqliteFile(Path(text).expanduser().absolute())
