"""The commands `gracefuzz webhook`: who is told of new failures, and what still waits."""

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storage.outbox import Webhook
    from storage.session import Database

DB_DEFAULT = "gracefuzz.db"
Db = Annotated[str, typer.Option("--db", envvar="GRACEFUZZ_DB", help="The database.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[str, typer.Argument(metavar="URL", help="Where messages go.")]
WAITING, INFRASTRUCTURE = 1, 3

ADD_HELP = """
Tell a webhook of every new failure, and of every fixed one that shows again.

A message is a POST of JSON. X-Gracefuzz-Signature is sha256= and the HMAC-SHA256, with the secret,
of the value of X-Gracefuzz-Timestamp, a dot, and the body; X-Gracefuzz-Delivery is the same however
often the message is tried. The secret stays out of the database: it is read, whenever something is
sent, from a variable of the environment or from a file.

Messages are stored with the failure that they tell of, and sent beside `gracefuzz fuzz`, or by
`gracefuzz webhook deliver`; what is not taken is tried again, at last once an hour.

Examples:

  gracefuzz webhook add https://ci.example.org/races --secret-file /etc/gracefuzz/secret

  gracefuzz webhook add http://127.0.0.1:8000/ --secret-env GRACEFUZZ_WEBHOOK_SECRET --json
"""

REMOVE_HELP = """
Tell a webhook no more. What still waits for it is not sent.

Examples:

  gracefuzz webhook remove https://ci.example.org/races

  gracefuzz webhook remove http://127.0.0.1:8000/ --json
"""

LIST_HELP = """
List the webhooks, and the messages that were not taken yet, with what was said.

Examples:

  gracefuzz webhook list

  gracefuzz webhook list --json
"""

DELIVER_HELP = """
Send every message that waits, now. With --forever, go on sending until Ctrl-C.

Exit codes: 0 nothing waits any more, 1 some message was not taken.

Examples:

  gracefuzz webhook deliver

  gracefuzz webhook deliver --forever

  gracefuzz webhook deliver --json
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    webhook = typer.Typer(help="Who is told.", no_args_is_help=True, rich_markup_mode=None)
    webhook.command("add", help=ADD_HELP)(add_command)
    webhook.command("remove", help=REMOVE_HELP)(remove_command)
    webhook.command("list", help=LIST_HELP)(list_command)
    webhook.command("deliver", help=DELIVER_HELP)(deliver_command)
    app.add_typer(webhook, name="webhook")


def add_command(
    url: Url,
    secret_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that holds the secret.")
    ] = None,
    secret_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file that holds the secret.")
    ] = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """One more webhook, or another secret for it."""
    from pathlib import Path

    from storage.outbox import Webhook
    from workers.notifying import secret_of
    from workers.webhook import check_url

    if (secret_env is None) is (secret_file is None):
        raise typer.BadParameter("give --secret-env or --secret-file: who gets a message checks it")
    check_url(url)
    file = None if secret_file is None else str(Path(secret_file).expanduser().absolute())
    added = Webhook(url, secret_env, file)
    secret_of(added)
    _change(db, lambda known: (*(w for w in known if w.url != url), added), as_json=as_json)


def remove_command(url: Url, db: Db = DB_DEFAULT, as_json: Json = False) -> None:
    """One webhook less."""
    from storage.outbox import webhooks_of
    from storage.session import open_database

    with open_database(db) as database, database.read() as session:
        known = webhooks_of(session)
    if url not in {webhook.url for webhook in known}:
        raise typer.BadParameter(f"{url} is no webhook: gracefuzz webhook list shows them")
    _change(db, lambda known: tuple(w for w in known if w.url != url), as_json=as_json)


def list_command(db: Db = DB_DEFAULT, as_json: Json = False) -> None:
    """Webhooks, and what waits."""
    from storage.session import open_database

    with open_database(db) as database:
        _show(database, as_json=as_json)


def deliver_command(
    forever: Annotated[bool, typer.Option("--forever", help="Go on until Ctrl-C.")] = False,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """Everything that waits."""
    from datetime import UTC, datetime

    from storage.outbox import make_due
    from storage.session import open_database
    from workers.notifying import deliver_due, send_forever, waiting

    with open_database(db) as database:
        if forever:
            send_forever(database)
        with database.write() as session:
            make_due(session, now=datetime.now(UTC))
        while deliver_due(database, now=datetime.now(UTC)):
            pass
        _show(database, as_json=as_json)
        raise typer.Exit(WAITING if waiting(database) else 0)


def _change(
    db: str,
    change: "Callable[[tuple[Webhook, ...]], tuple[Webhook, ...]]",
    *,
    as_json: bool,
) -> None:
    """Store other webhooks, and show them."""
    from datetime import UTC, datetime

    from storage.outbox import set_webhooks, webhooks_of
    from storage.session import open_database

    with open_database(db) as database:
        with database.write() as session:
            changed = change(webhooks_of(session))
            set_webhooks(session, changed, actor=getpass.getuser(), now=datetime.now(UTC))
        _show(database, as_json=as_json)


def _show(database: "Database", *, as_json: bool) -> None:
    """The webhooks, and what waits."""
    import json

    from storage.outbox import webhooks_of
    from workers.notifying import waiting

    with database.read() as session:
        known = webhooks_of(session)
    left = waiting(database)
    if as_json:
        told = {
            "webhooks": [
                {
                    "url": webhook.url,
                    "secret_env": webhook.secret_variable,
                    "secret_file": webhook.secret_file,
                }
                for webhook in known
            ],
            "waiting": [
                {
                    "delivery": each.delivery_id,
                    "url": each.url,
                    "event": each.occasion.value,
                    "failure": each.failure_id,
                    "created_at": each.created_at.isoformat(),
                    "due_at": each.due_at.isoformat(),
                    "attempts": each.attempts,
                    "error": each.error,
                }
                for each in left
            ],
        }
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for webhook in known:
        print(f"{webhook.url}  secret in {webhook.secret_file or f'${webhook.secret_variable}'}")
    if not known:
        print("no webhook is told: gracefuzz webhook add URL")
    for each in left:
        said = f": {each.error}" if each.error else ""
        print(
            f"waiting  {each.occasion.value} of failure {each.failure_id} to {each.url}, "
            f"{each.attempts} tries{said}"
        )
