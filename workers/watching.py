"""`gracefuzz fuzz FILE.py --watch`: the same command again in a process of its own, at every save.

A new process reads the author's files afresh, whatever they import. Files are looked at, not
subscribed to: editors that replace a file by another of its name need no special case.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import typer

LOOK_SECONDS = 0.2
# How long a campaign may take to store what is in flight before it is aborted.
STOP_SECONDS = 5.0
INTERRUPTED = 130

Saved = dict[Path, tuple[int, int, int]]


def command_again() -> list[str]:
    """The command line of this process without --watch."""
    return [sys.executable, *(word for word in sys.orig_argv[1:] if word != "--watch")]


def watch(file: Path, command: Sequence[str]) -> int:
    """Execute the command at once and at every save until Ctrl-C; the last one's exit code.

    What counts is every Python file of the folder and of the packages in it.
    """
    while True:
        seen = saved(file.parent)
        # In a group of its own: Ctrl-C comes here, and is passed on once.
        child = subprocess.Popen(command, process_group=0)
        try:
            while child.poll() is None and saved(file.parent) == seen:
                time.sleep(LOOK_SECONDS)
            _ended(child)
            if saved(file.parent) == seen:
                _say(f"watching {file.parent}: fuzzes again at the next save; Ctrl-C ends")
            while saved(file.parent) == seen:
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            return _ended(child)
        _say(f"saved: {', '.join(_changed(seen, saved(file.parent)))}")


def saved(folder: Path) -> Saved:
    """When each Python file was saved, its size and its identity."""
    found: Saved = {}
    for path in _python_files(folder):
        try:
            status = path.stat()
        except FileNotFoundError:
            # Between the two names of a file that an editor replaces.
            continue
        found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _python_files(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*.py")
    for package in folder.glob("*/__init__.py"):
        yield from _python_files(package.parent)


def _changed(before: Saved, after: Saved) -> list[str]:
    paths = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    return sorted(path.name for path in paths)


def _ended(child: subprocess.Popen[bytes]) -> int:
    """The exit code; a process that still works is asked to stop, told to abort, then killed.

    SIGTERM asks as Ctrl-C does, but a process that is still importing ends by it without a word.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        if child.poll() is not None:
            break
        child.send_signal(number)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(STOP_SECONDS)
    code = child.wait()
    return code if code >= 0 else INTERRUPTED


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
