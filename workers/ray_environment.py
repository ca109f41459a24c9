"""What Ray reads when it is imported, and where it is found; nothing of Ray is imported here.

Ray takes its settings from the environment once, at its import, and its processes inherit them.
Whoever is to join a cluster says so before; else Ray is for this process alone.
"""

import os
import re
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

from workers.errors import PoolError

LOCAL = "local"
AUTO = "auto"
ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
ANSWER_SECONDS = 2.0
# A socket's path has at most 107 bytes, of which Ray needs some 60.
TEMPORARY_PATH_MAX = 40
# Ray's own default, in seconds: a driver ends itself when its head was silent for so long.
RECONNECT_SECONDS = "60"
RECONNECT_VARIABLE = "RAY_gcs_rpc_server_reconnect_timeout_s"

_FIXED = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_settled: list[str] = []


def settings(address: str = LOCAL) -> dict[str, str]:
    """What to put into the environment; nothing where it was asked before: it is settled then.

    Local Ray gets a token that is drawn anew, so that nobody else on the network is let in and no
    file in $HOME decides anything. A cluster has one of its own: RAY_AUTH_TOKEN, a file that
    RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token; RAY_AUTH_MODE=disabled is for a cluster without
    one, and must be said. Raises PoolError where there is none.
    """
    if _settled:
        return {}
    if address == LOCAL:
        found = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    else:
        # Five tries of a second each: a head that refuses is asked no longer than that.
        found = {"RAY_AUTH_MODE": auth_mode(), "RAY_NUM_REDIS_GET_RETRIES": "5"}
        if found["RAY_AUTH_MODE"] == "token":
            _check_token()
    _settled.append(address)
    return {**_FIXED, **found}


def auth_mode() -> str:
    """How a cluster is joined: with a token, unless it is said that it has none."""
    mode = os.environ.get("RAY_AUTH_MODE", "token").lower()
    if mode not in ("token", "disabled"):
        raise PoolError(f"RAY_AUTH_MODE is {mode!r}\n    set it to token, or to disabled")
    return mode


def _check_token() -> None:
    """Ray's own order: the variable, the file that is named, the file in $HOME."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    try:
        found = path.read_text().strip()
    except OSError as error:
        found, said = "", f"{path}: {error.strerror}"
    else:
        said = f"{path} is empty"
    if not found:
        raise PoolError(
            f"cannot join a Ray cluster: there is no token: {said}\n"
            "    copy the one that its nodes were started with and name it in RAY_AUTH_TOKEN_PATH;"
            "\n    for a cluster without tokens set RAY_AUTH_MODE=disabled"
        )


def is_address(text: str) -> bool:
    """Whether this is `local`, `auto` or HOST:PORT."""
    found = ADDRESS.fullmatch(text)
    return text in (LOCAL, AUTO) or (found is not None and 0 < int(found["port"]) < 65536)


def answers(address: str) -> bool:
    """Whether something listens at HOST:PORT; asked before Ray, which would wait a minute."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False


def silent_seconds_max() -> float:
    """How long a head may be silent: half of what Ray itself allows before it ends our process."""
    return float(os.environ.get(RECONNECT_VARIABLE, RECONNECT_SECONDS)) / 2


def temporary_folder() -> str:
    """A new folder whose path is short enough for Ray's sockets. Raises PoolError."""
    try:
        folder = tempfile.mkdtemp(prefix="gracefuzz-")
        if len(folder) > TEMPORARY_PATH_MAX:
            os.rmdir(folder)
            folder = tempfile.mkdtemp(prefix="gracefuzz-", dir="/tmp")
    except OSError as error:
        raise PoolError(
            f"Ray cannot start: no folder for temporary files: {error}\n"
            "    set TMPDIR to one that may be written, or use --workers 0"
        ) from error
    return folder


def remove_folder(folder: str) -> None:
    """As far as it goes: who was killed may still write there."""
    shutil.rmtree(folder, ignore_errors=True)
