"""At a terminal: a screen that is kept up to date, and keys that lead through a replay."""

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from storage.campaigns import get_campaign
from storage.session import open_database
from storage.tables import CampaignState

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "tests" / "lost_update.py")

pytestmark = pytest.mark.slow


class Terminal:
    """A process whose standard streams are a terminal, and what it has written there."""

    def __init__(self, *arguments, **environment):
        self.ours, theirs = pty.openpty()
        script = "from service.cli import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environment},
            # A session whose terminal this is, so that Ctrl-C becomes a signal.
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, expected, *, seconds=60):
        """Wait for a text; None waits for the end."""
        until = time.monotonic() + seconds
        while expected is None or expected not in self.text:
            assert time.monotonic() < until, self.text
            if not select.select([self.ours], [], [], 0.2)[0]:
                continue
            try:
                chunk = os.read(self.ours, 65536)
            except OSError:
                chunk = b""
            if not chunk:
                assert expected is None, self.text
                break
            self.text += chunk.decode(errors="replace")

    def press(self, keys):
        self.text = ""
        os.write(self.ours, keys.encode())

    def end(self):
        self.read_until(None)
        code = self.process.wait(timeout=30)
        os.close(self.ours)
        return code


def test_the_screen_is_kept_up_to_date_and_is_plain_without_colours(tmp_path):
    database = tmp_path / "found.db"
    options = ["--workers", 0, "--schedules", 5_000_000, "--db", database]
    shown = Terminal("fuzz", PROGRAM, *options)
    assert shown.end() == 1
    assert shown.text.count("schedules in") >= 2
    assert "\x1b[31m" in shown.text
    plain = Terminal("fuzz", PROGRAM, *options, NO_COLOR="1")
    assert plain.end() == 1
    assert "\x1b[31m" not in plain.text and "#1" in plain.text


def test_a_second_interrupt_aborts(tmp_path):
    fuzzing = Terminal(
        "fuzz", PROGRAM, "--workers", 0, "--time", "100s", "--db", tmp_path / "found.db"
    )
    fuzzing.read_until("schedules in")
    # Both at once: the second comes before the lease in flight has ended.
    fuzzing.press("\x03\x03")
    assert fuzzing.end() in (1, 130)
    assert "Traceback" not in fuzzing.text


def test_a_lost_terminal_ends_the_campaign_cleanly(tmp_path):
    database = tmp_path / "found.db"
    fuzzing = Terminal("fuzz", PROGRAM, "--workers", 0, "--time", "100s", "--db", database)
    fuzzing.read_until("#1")
    os.close(fuzzing.ours)
    fuzzing.process.wait(timeout=100)
    with open_database(database) as opened, opened.read() as session:
        summary = get_campaign(session, 1)
    assert summary.state is CampaignState.STOPPED and summary.blocks_done > 0


def test_arrow_keys_lead_through_a_replay(tmp_path):
    database = tmp_path / "found.db"
    Terminal("fuzz", PROGRAM, "--workers", 0, "--block", 0, "--db", database).end()
    stepping = Terminal("failures", "replay", 1, "--step", "--db", database)
    stepping.read_until("q: quit")
    assert "step 0 of 4   the initial state" in stepping.text
    for keys, head in (("\x1b[C", "step 1 of 4"), ("\x1bOC", "step 2 of 4"), ("p", "step 1 of 4")):
        stepping.press(keys)
        stepping.read_until("q: quit")
        assert head in stepping.text
    stepping.press("G")
    stepping.read_until("q: quit")
    assert "reproduced" in stepping.text
    stepping.press("q")
    assert stepping.end() == 0
