"""`gracefuzz verify` as a process: exit codes, kills and signals, disks, two at once."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service import cli
from storage.campaigns import get_campaign
from storage.errors import UnknownCampaign
from storage.session import open_database
from tests.end_to_end.test_terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "tests" / "lost_update.py")
LONG = str(ROOT / "tests" / "three_counters.py")
# Some seconds: 8,242,407 states.
ROUNDS = "rounds=100"
COMMAND = [sys.executable, "-c", "from service.cli import main; main()"]

pytestmark = pytest.mark.slow


def start(*arguments, **options):
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("GRACEFUZZ")}
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def gracefuzz(*arguments, **options):
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=110)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def campaign(database, number=1):
    shown = gracefuzz("campaigns", "show", number, "--db", database, "--json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def wait_for_checkpoint(database, process):
    """Until the first campaign can be resumed."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        if Path(database).exists():
            try:
                with open_database(database) as opened, opened.read() as session:
                    if get_campaign(session, 1).verification.checkpoint is not None:
                        return
            except UnknownCampaign:
                pass
        time.sleep(0.05)
    raise AssertionError("no checkpoint was taken")


def start_long(database, *arguments, **options):
    return start(
        *("verify", LONG, "--param", ROUNDS, "--db", database, "--checkpoint-every", "0.3s"),
        *arguments,
        **options,
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What a verification says that nothing has disturbed."""
    database = tmp_path_factory.mktemp("undisturbed") / "x.db"
    ended = gracefuzz("verify", LONG, "--param", ROUNDS, "--db", database, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def same_result(report, undisturbed):
    names = ("verdict", "exit_code", "states", "transitions", "depth", "frontier", "sites")
    assert {name: report[name] for name in names} == {name: undisturbed[name] for name in names}


def test_exit_codes(tmp_path, capsys):
    database = tmp_path / "x.db"
    verify = ("verify", PROGRAM, "--db", database)
    assert gracefuzz(*verify, "--param", "locked=on").returncode == 0
    assert gracefuzz(*verify).returncode == 1
    full = gracefuzz(*verify, "--param", "locked=on", "--memory", "1K")
    assert full.returncode == 4 and "bounded, 1 states: nothing is proved" in full.stdout
    gracefuzz("fuzz", PROGRAM, "--db", database, "--workers", 0, "--block", 0)
    bits = gracefuzz(*verify, "--param", "locked=on", "--bitstate", "--no-symmetry")
    assert bits.returncode == 4 and "were told apart): nothing is proved" in bits.stdout
    refused = {
        "goes on as it began: leave out --symmetry": (*verify, "--resume", 1, "--symmetry"),
        "no program is called 'nope'": ("verify", "nope", "--db", database),
        "is no size of memory: give 512M": (*verify, "--memory", "much"),
        "--memory 900.0 TiB is more than the": (*verify, "--memory", "900T"),
        "is no duration: give 30s": (*verify, "--checkpoint-every", "often"),
        "give a PROGRAM, or --resume CAMPAIGN": ("verify", "--db", database),
        "campaign 4 is no verification: it fuzzes": ("verify", "--resume", 4, "--db", database),
        "no campaign has the number 9": ("verify", "--resume", 9, "--db", database),
        "campaign 1 has ended (proved)": ("verify", "--resume", 1, "--db", database),
        "campaign 3 verifies another program": (*verify, "--resume", 3),
    }
    for sentence, arguments in refused.items():
        assert cli.execute([str(each) for each in arguments]) == 2, arguments
        out, err = capsys.readouterr()
        said = " ".join(re.sub("[│╭╮╰╯─]", " ", err).split())
        assert sentence in said and "Traceback" not in err and out == "", (arguments, err)
    went_on = gracefuzz("verify", "--resume", 3, "--memory", "1G", "--db", database)
    assert went_on.returncode == 0, went_on.stderr


def test_a_failure_is_shown_and_replayed_like_any_other(tmp_path):
    database = tmp_path / "x.db"
    ended = gracefuzz("verify", PROGRAM, "--db", database, "--json")
    report = json.loads(ended.stdout)
    (failure,) = report["failures"]
    assert report["verdict"] == "refuted" and report["sites"] == {"at_end: an addition is lost": 4}
    assert failure["steps"] == 4 and set(failure["proof"].values()) == {"proved"}
    shown = gracefuzz("failures", "show", 1, "--db", database).stdout
    assert "by the verification that is campaign 1" in shown and "<preempted>" in shown
    assert "reproduce   gracefuzz verify FILE.py:lost_update" in shown
    assert gracefuzz("failures", "replay", 1, "--db", database).returncode == 0
    fuzzed = gracefuzz("fuzz", PROGRAM, "--db", database, "--workers", 0, "--block", 0, "--json")
    assert [each["new"] for each in json.loads(fuzzed.stdout)["failures"]] == [False]


def test_one_that_was_killed_is_interrupted_and_goes_on_to_the_same_result(tmp_path, undisturbed):
    database = tmp_path / "x.db"
    process = start_long(database)
    wait_for_checkpoint(database, process)
    # It stands still, however fast this machine is, but it is there.
    process.send_signal(signal.SIGSTOP)
    busy = gracefuzz("verify", "--resume", 1, "--db", database)
    assert busy.returncode == 2 and "is being executed by another process" in busy.stderr
    assert campaign(database)["state"] == "running"
    process.kill()
    process.communicate()
    killed = campaign(database)
    assert killed["state"] == "stopped" and "without a word" in killed["ending"]
    assert killed["verification"]["verdict"] is None
    ended = gracefuzz("verify", "--resume", 1, "--db", database, "--json")
    assert ended.returncode == 0, ended.stderr
    same_result(json.loads(ended.stdout), undisturbed)
    assert campaign(database)["state"] == "finished"
    assert list((tmp_path / "x.db-checkpoints").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_with_a_checkpoint(tmp_path, undisturbed, number):
    database = tmp_path / "x.db"
    process = start_long(database, "--json", "--checkpoint", tmp_path / "kept")
    wait_for_checkpoint(database, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    report = json.loads(out)
    assert report["verdict"] == "bounded" and Path(report["checkpoint"]).exists()
    assert Path(report["checkpoint"]).parent == tmp_path / "kept"
    assert campaign(database)["state"] == "stopped"
    again = gracefuzz("verify", LONG, "--param", ROUNDS, "--resume", 1, "--db", database, "--json")
    assert again.returncode == 0, again.stderr
    same_result(json.loads(again.stdout), undisturbed)


def test_two_verify_into_one_database_at_once(tmp_path, undisturbed):
    database = tmp_path / "x.db"
    processes = [start_long(database, "--json") for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=110)
        assert process.returncode == 0, err
        same_result(json.loads(out), undisturbed)
    assert {campaign(database, number)["state"] for number in (1, 2)} == {"finished"}


def test_a_full_disk_is_said_and_exploring_goes_on(tmp_path, undisturbed):
    """A limit on the size of files stands for a full disk: the system refuses to write on."""

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    process = start_long(tmp_path / "x.db", "--json", preexec_fn=small_files)
    out, err = process.communicate(timeout=110)
    assert process.returncode == 0, err
    assert "cannot write a checkpoint to" in err and "Traceback" not in err
    same_result(json.loads(out), undisturbed)
    assert list((tmp_path / "x.db-checkpoints").iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_checkpoint_that_is_lost_is_a_sentence_and_nothing_else_is(tmp_path, damage):
    database = tmp_path / "x.db"
    gracefuzz("verify", PROGRAM, "--memory", "1K", "--db", database)
    before = campaign(database)
    path = tmp_path / before["verification"]["checkpoint"]
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-9])
    ended = gracefuzz("verify", "--resume", 1, "--db", database, "--memory", "1G")
    assert ended.returncode == 3 and str(path) in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr and ended.stdout == ""
    assert campaign(database) == before
    path.write_bytes(content)
    assert gracefuzz("verify", "--resume", 1, "--db", database, "--memory", "1G").returncode == 1


def test_at_a_terminal_the_screen_is_kept_up_to_date_and_a_second_interrupt_aborts(tmp_path):
    database = tmp_path / "x.db"
    shown = Terminal("verify", LONG, "--param", ROUNDS, "--db", database)
    shown.read_until("states in layer")
    assert "frontier" in shown.text and "% of" not in shown.text
    shown.press("\x03\x03")
    assert shown.end() in (4, 130)
    assert "Traceback" not in shown.text
    assert campaign(database)["state"] == "stopped"
