"""`gracefuzz fuzz` as a process, without Ray: exit codes, JSON, signals, disks, what it stored."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from model.program_json import to_json
from storage.campaigns import campaign_totals
from storage.claims import LOST
from storage.session import open_database
from storage.tables import CampaignState
from tests.lost_update import lost_update
from workers.shards import BlockRange, ShardSpec, run_shard

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "tests" / "lost_update.py")
COMMAND = [sys.executable, "-c", "from service.cli import main; main()"]

pytestmark = pytest.mark.slow


def gracefuzz(*arguments, stdin="", **options):
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("GRACEFUZZ")}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=100,
        **options,
    )


def fuzz(database, *arguments, **options):
    return gracefuzz("fuzz", PROGRAM, "--db", database, "--workers", 0, *arguments, **options)


def start_fuzz(database, *arguments):
    return subprocess.Popen(
        [*COMMAND, "fuzz", PROGRAM, "--db", str(database), "--workers", "0", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stored_campaign(database, number=1):
    shown = gracefuzz("campaigns", "show", number, "--db", database, "--json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def wait_for_blocks(database, blocks, process):
    """Until the first campaign has completed so many blocks."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        if Path(database).exists():
            try:
                with open_database(database) as opened, opened.read() as session:
                    if campaign_totals(session, 1).blocks_done >= blocks:
                        return
            except LookupError:
                pass
            except Exception as error:
                assert "no campaign has the number" in str(error)
        time.sleep(0.1)
    raise AssertionError("no block was completed")


def expected(campaign):
    """What the blocks from 0 on give, executed again here."""
    program = lost_update.compile(**campaign_parameters(campaign))
    assert program.hash == campaign["ir_hash"]
    return run_shard(ShardSpec(to_json(program), 1), BlockRange(0, int(campaign["blocks"])))


def campaign_parameters(campaign):
    sound = lost_update.compile(locked="on").hash
    return {"locked": "on"} if campaign["ir_hash"] == sound else {}


def check_exact(campaign):
    again = expected(campaign)
    assert campaign["schedules"] == str(again.schedules)
    assert campaign["steps"] == str(again.steps)
    assert campaign["sites"] == {name: str(count) for name, count in again.site_hits.items()}
    assert campaign["violations"] == str(again.violations)


def test_from_a_file_to_a_stored_minimal_failure_that_replays(tmp_path):
    database = tmp_path / "found.db"
    ended = fuzz(database, "--schedules", 1, "--json")
    assert ended.returncode == 1, ended.stderr
    report = json.loads(ended.stdout)
    (failure,) = report["failures"]
    assert report["exit_code"] == 1 and failure["new"]
    assert (failure["steps"], failure["preemptions"]) == (4, 1)
    assert set(failure["proof"].values()) == {"proved"}
    check_exact(stored_campaign(database))

    listed = json.loads(gracefuzz("failures", "list", "--db", database, "--json").stdout)
    assert [each["fingerprint"] for each in listed] == [failure["fingerprint"]]
    shown = gracefuzz("failures", "show", 1, "--db", database)
    assert shown.returncode == 0 and "<preempted>" in shown.stdout
    assert max(map(len, json_of_failure(database)["diagram"].splitlines())) <= 75
    replayed = gracefuzz("failures", "replay", 1, "--db", database)
    assert replayed.returncode == 0
    assert replayed.stdout.rstrip().endswith("violation: at_end: an addition is lost\nreproduced")


def test_the_scheduler_is_kept_with_what_was_estimated(tmp_path):
    database = tmp_path / "found.db"
    report = json.loads(fuzz(database, "--block", 0, "--scheduler", "pct:d=2", "--json").stdout)
    assert report["scheduler"] == "pct:d=2,k=3,demotes=after"
    shown = gracefuzz("failures", "show", 1, "--db", database).stdout
    assert f" --scheduler {report['scheduler']} --seed 1 --block 0" in shown
    again = fuzz(database, "--block", 0, "--scheduler", report["scheduler"], "--json")
    for name in ("scheduler", "schedules", "steps", "sites"):
        assert json.loads(again.stdout)[name] == report[name]


def test_a_portfolio_is_shown_by_scheduler_and_executed_again(tmp_path):
    database = tmp_path / "found.db"
    asked = ("--scheduler", "portfolio", "--schedules", 30_000_000, "--seed", 5, "--json")
    report = json.loads(fuzz(database, *asked).stdout)
    names = [each["scheduler"] for each in report["schedulers"]]
    assert report["scheduler"] == f"portfolio:{'+'.join(names)}"
    shown = gracefuzz("campaigns", "show", 1, "--db", database).stdout
    assert all(f"\n{name} " in shown for name in names)
    assert "invalid: the scheduler learns from executions" in shown
    assert f" --scheduler {names[0]} --seed 5 --block " in gracefuzz(
        "failures", "show", 1, "--db", database
    ).stdout
    again = json.loads(fuzz(database, "--again", 1, "--json").stdout)
    same = ("scheduler", "seed", "blocks", "schedules", "steps", "sites", "schedulers", "coverage")
    assert {name: again[name] for name in same} == {name: report[name] for name in same}
    stored, repeated = (stored_campaign(database, number) for number in (1, 2))
    assert stored["turns"] == repeated["turns"]
    for arguments in (["--block", 0], ["--open", "all"]):
        refused = fuzz(database, "--scheduler", "portfolio", *arguments)
        assert refused.returncode == 2 and "portfolio" in refused.stderr
    refused = fuzz(database, "--again", 1, "--param", "locked=on")
    assert refused.returncode == 2 and "in other steps than these" in refused.stderr


def test_every_schedule_is_executed_and_then_it_ends(tmp_path):
    database = tmp_path / "found.db"
    broken = fuzz(database, "--scheduler", "exhaustive:c=1", "--json")
    assert broken.returncode == 1
    report = json.loads(broken.stdout)
    ending = "all 4 schedules with at most 1 preemption executed: 2 violate"
    assert (report["ending"], report["schedules"]) == (ending, "4")
    sound = fuzz(database, "--scheduler", "exhaustive:c=1", "--param", "locked=on")
    assert sound.returncode == 0
    assert sound.stdout.rstrip().endswith("with at most 1 preemption executed: clean")
    assert "enumerated, not drawn" in gracefuzz("campaigns", "show", 2, "--db", database).stdout
    refused = fuzz(database, "--scheduler", "exhaustive:d=1")
    assert refused.returncode == 2 and "write exhaustive:c=NUMBER" in refused.stderr


def json_of_failure(database):
    return json.loads(gracefuzz("failures", "show", 1, "--db", database, "--json").stdout)


def test_a_replay_goes_forward_and_back_through_a_pipe(tmp_path):
    database = tmp_path / "found.db"
    fuzz(database, "--block", 0)
    stepped = gracefuzz("failures", "replay", 1, "--step", "--db", database, stdin="nn\x1b[DGq")
    heads = [line for line in stepped.stdout.splitlines() if line.startswith("step ")]
    assert [head.split()[1] for head in heads] == ["0", "1", "2", "1", "4"]
    assert "reproduced" in stepped.stdout and "\x1b" not in stepped.stdout
    verdict = gracefuzz("failures", "replay", 1, "--json", "--db", database)
    assert json.loads(verdict.stdout)["verdict"] == "reproduced"


def test_the_reproducing_command_shows_the_failure_again(tmp_path):
    first = fuzz(tmp_path / "first.db", "--schedules", 1, "--seed", 7, "--json")
    again = fuzz(tmp_path / "again.db", "--block", 0, "--seed", 7, "--json")
    prints = [json.loads(ended.stdout)["failures"][0]["fingerprint"] for ended in (first, again)]
    assert prints[0] == prints[1]


def test_exit_codes(tmp_path):
    database = tmp_path / "found.db"
    assert fuzz(database, "--block", 0, "--param", "locked=on").returncode == 0
    assert fuzz(database, "--block", 0).returncode == 1
    assert fuzz(database, "--block", 0, "--fail-on", "new").returncode == 0
    assert fuzz(database, "--block", 1, "--exclude", 1).returncode == 0
    assert fuzz(database, "--block", 0, "--exclude", 9).returncode == 2
    assert fuzz(database, "--block", 0, "--param", "locked=maybe").returncode == 2
    assert gracefuzz("fuzz", "nope", "--db", database).returncode == 2
    assert gracefuzz("fuzz", PROGRAM, "--time", "soon").returncode == 2
    assert gracefuzz("fuzz", PROGRAM, "--scheduler", "pct:e=3").returncode == 2
    assert fuzz(tmp_path / "none" / "x.db", "--block", 0).returncode == 3


def test_what_is_passed_over_is_counted_and_said(tmp_path):
    database = tmp_path / "found.db"
    fuzz(database, "--block", 0)
    report = json.loads(fuzz(database, "--block", 0, "--exclude", 1, "--json").stdout)
    assert report["failures"] == [] and int(report["passed_over"]) > 0
    assert int(report["violations"]["known"]) > 0 and report["violations"]["new"] == "0"
    assert stored_campaign(database, 2)["excluded_failures"] == [1]


def test_results_are_on_stdout_and_messages_on_stderr(tmp_path):
    ended = fuzz(tmp_path / "found.db", "--block", 0)
    assert ended.stdout.startswith("gracefuzz ") and "see one:" in ended.stdout
    assert ended.stderr.startswith("new:  #1  at_end: an addition is lost")
    assert "\x1b" not in ended.stdout + ended.stderr
    quiet = fuzz(tmp_path / "sound.db", "--block", 0, "--param", "locked=on", "--json")
    assert quiet.stderr == "" and json.loads(quiet.stdout)["exit_code"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_cleanly_and_keeps_everything_found(tmp_path, number):
    database = tmp_path / "found.db"
    process = start_fuzz(database, "--time", "100s", "--json")
    wait_for_blocks(database, 1, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    report = json.loads(out)
    campaign = stored_campaign(database)
    assert campaign["state"] == CampaignState.STOPPED
    assert campaign["schedules"] == report["schedules"]
    assert [failure["failure"] for failure in report["failures"]] == [1]
    assert gracefuzz("failures", "replay", 1, "--db", database).returncode == 0
    check_exact(campaign)


def test_a_killed_coordinator_loses_nothing_that_was_stored(tmp_path):
    database = tmp_path / "found.db"
    process = start_fuzz(database, "--time", "100s")
    wait_for_blocks(database, 2, process)
    process.kill()
    process.communicate()
    campaign = stored_campaign(database)
    assert campaign["state"] == CampaignState.STOPPED and int(campaign["blocks"]) >= 2
    assert campaign["ending"] == LOST
    check_exact(campaign)
    assert gracefuzz("failures", "replay", 1, "--db", database).returncode == 0


def test_two_processes_fuzz_into_one_database_at_once(tmp_path):
    database = tmp_path / "shared.db"
    processes = [start_fuzz(database, "--schedules", 6_000_000, "--json") for _ in range(2)]
    reports = []
    for process in processes:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 1, err
        reports.append(json.loads(out))
    assert sorted(report["campaign"] for report in reports) == [1, 2]
    assert sum(failure["new"] for report in reports for failure in report["failures"]) == 1
    for number in (1, 2):
        check_exact(stored_campaign(database, number))


def test_metrics_are_served_while_it_works(tmp_path):
    process = start_fuzz(tmp_path / "found.db", "--time", "100s", "--metrics-port", 0)
    address = process.stderr.readline().removeprefix("metrics: ").strip()
    assert address.startswith("http://127.0.0.1:") and address.endswith("/metrics")
    until, text = time.monotonic() + 60, ""
    while 'gracefuzz_violations_total{kind="new",program="lost_update"} 1.0' not in text:
        assert time.monotonic() < until and process.poll() is None
        text = urllib.request.urlopen(address, timeout=5).read().decode()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 1


def test_a_full_disk_is_a_sentence_and_exit_code_3(tmp_path):
    """A limit on the size of files stands for a full disk: the system refuses to write on."""

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    ended = fuzz(tmp_path / "full.db", "--block", 0, preexec_fn=small_files)
    assert ended.returncode == 3
    assert ended.stderr.startswith("cannot use the database")
    assert "Traceback" not in ended.stderr and ended.stdout == ""


def test_a_file_that_is_no_database_is_a_sentence_and_exit_code_3(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no database, but longer than the head of one\n" * 100)
    ended = fuzz(path, "--block", 0)
    assert ended.returncode == 3 and "not an SQLite database" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_exit_code_3(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = fuzz(tmp_path / "x.db", "--block", 0, "--metrics-port", port)
    assert ended.returncode == 3 and f"cannot serve metrics on port {port}" in ended.stderr
