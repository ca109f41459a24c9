"""`gracefuzz fuzz --open` as a process: what it finds, keeps, prints, refuses and leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "tests" / "added_up.py")
COMMAND = [sys.executable, "-c", "from service.cli import main; main()"]
SPACE = ["--open", "writers=1..2", "--open", "plain", "--blocks", "1"]

pytestmark = pytest.mark.slow


def gracefuzz(folder, *arguments):
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("GRACEFUZZ")}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )


def report_of(ended):
    assert ended.returncode == 1, ended.stderr
    return json.loads(ended.stdout)


def test_a_space_is_fuzzed_and_what_failed_is_tried_first_the_next_time(tmp_path):
    first = report_of(gracefuzz(tmp_path, "fuzz", PROGRAM, *SPACE, "--workers", 0, "--json"))
    assert first["open"] == {"writers": [1, 2], "plain": [False, True]}
    assert first["fixed"] == {"reads": 0, "kind": "int"}
    assert first["configurations"] == {"all": "4", "tried": 4, "failing": 1, "refused": 0}
    assert first["ending"] == "tried every configuration"
    (failure,) = first["failures"]
    assert failure["new"] and failure["features"] == "writers=2 plain=on"
    assert sorted(os.listdir(tmp_path)) == ["gracefuzz.db"], "nothing else is left behind"

    shown = gracefuzz(tmp_path, "failures", "show", failure["failure"])
    assert "--param writers=2 --param plain=on" in shown.stdout
    campaigns = json.loads(gracefuzz(tmp_path, "campaigns", "list", "--json").stdout)
    schedules = {each["campaign"]: each["schedules"] for each in campaigns}
    assert {each["campaign"]: each["schedules"] for each in first["campaigns"]} == schedules

    again = gracefuzz(tmp_path, "fuzz", PROGRAM, *SPACE, "--seed", 2, "--workers", 0)
    assert again.returncode == 1 and again.stderr.startswith("seen:")
    assert "  configurations  4 of 4 tried, 1 failing\n  kept from before  1 still fail" in (
        again.stdout
    )
    assert "campaigns 5 to 8: tried every configuration" in again.stdout


def test_ray_workers_find_each_kind_of_violation_where_it_is_smallest(tmp_path):
    """More than four programs: workers forget engines and make them again."""
    opened = [*SPACE[:4], "--open", "reads=0..1", "--blocks", "4", "--workers", "2"]
    report = report_of(gracefuzz(tmp_path, "fuzz", PROGRAM, *opened, "--json"))
    assert report["configurations"]["tried"] == 8
    smallest = {each["step"].partition(":")[0]: each["features"] for each in report["failures"]}
    assert smallest == {
        "_add_plainly": "writers=2 plain=on",
        "_read": "writers=2 plain=on reads=1",
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--open", "nobody"], "added_up has no parameter 'nobody'"),
        (["--blocks", "4"], "it needs --open"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path, arguments, sentence):
    ended = gracefuzz(tmp_path, "fuzz", PROGRAM, *arguments)
    assert ended.returncode == 2 and sentence in ended.stderr and "Traceback" not in ended.stderr
    assert os.listdir(tmp_path) == []


def test_a_space_takes_a_scheduler_and_passes_over_what_is_known(tmp_path):
    pct = [*SPACE, "--workers", 0, "--scheduler", "pct:d=2", "--json"]
    first = report_of(gracefuzz(tmp_path, "fuzz", PROGRAM, *pct))
    assert first["scheduler"].startswith("pct:d=2") and len(first["failures"]) == 1
    campaigns = json.loads(gracefuzz(tmp_path, "campaigns", "list", "--json").stdout)
    assert all(each["scheduler"].startswith("pct:d=2,k=") for each in campaigns)
    passed = gracefuzz(tmp_path, "fuzz", PROGRAM, *pct, "--exclude", 1)
    assert passed.returncode == 0, passed.stderr
    report = json.loads(passed.stdout)
    assert report["failures"] == [] and int(report["passed_over"]) > 0


def test_a_space_serves_its_metrics_while_it_is_fuzzed(tmp_path):
    arguments = ["fuzz", PROGRAM, *SPACE, "--open", "reads=0..2", "--workers", "0"]
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--metrics-port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    address = process.stderr.readline().removeprefix("metrics: ").strip()
    schedules, until = 0.0, time.monotonic() + 60
    while schedules == 0.0:
        assert time.monotonic() < until and process.poll() is None
        text = urllib.request.urlopen(address, timeout=5).read().decode()
        (line,) = [row for row in text.splitlines() if row.startswith("gracefuzz_schedules_total{")]
        schedules = float(line.split()[-1])
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (0, 1)
