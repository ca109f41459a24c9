"""`gracefuzz fuzz FILE --watch` as a process, and files as editors save them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lost_update import lost_update
from workers.watching import saved

ROOT = Path(__file__).resolve().parents[2]
FUZZ = [sys.executable, "-c", "from service.cli import main; main()", "fuzz"]
OPTIONS = ["--workers", "0", "--schedules", "1", "--watch"]
BROKEN = Path(lost_update.file).read_text()
SOUND = BROKEN.replace("Switch(default=False)", "Switch(default=SOUND)")


def watching(folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRACEFUZZ_DB": str(folder / "found.db")}
    errors = (folder / "stderr").open("w")
    return subprocess.Popen(
        [*FUZZ, "./my lock.py", *OPTIONS], cwd=folder, env=environment, stderr=errors,
        stdout=(folder / "stdout").open("w"),
    )  # fmt: skip


def wait_for(folder, rounds, process):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if (folder / "stderr").read_text().count("fuzzes again at the next save") >= rounds:
            return
        assert process.poll() is None, (folder / "stderr").read_text()
        time.sleep(0.1)
    raise AssertionError((folder / "stderr").read_text())


def replace(path, text):
    """As an editor does: a new file takes the name of the old one."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


@pytest.mark.slow
def test_every_save_is_fuzzed_and_the_last_exit_code_is_given(tmp_path):
    file = tmp_path / "my lock.py"
    file.write_text(BROKEN)
    process = watching(tmp_path)
    try:
        wait_for(tmp_path, 1, process)
        assert "an addition is lost" in (tmp_path / "stdout").read_text()
        replace(file, "def broken(:\n")
        wait_for(tmp_path, 2, process)
        assert "my lock.py:1: not Python" in (tmp_path / "stderr").read_text()
        (tmp_path / "setting.py").write_text("SOUND = False\n")
        replace(file, "from setting import SOUND\n" + SOUND)
        wait_for(tmp_path, 3, process)
        replace(tmp_path / "setting.py", "SOUND = True\n")
        wait_for(tmp_path, 4, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
    said = (tmp_path / "stderr").read_text()
    assert "saved: setting.py" in said and "Traceback" not in said


@pytest.mark.slow
def test_saves_while_python_still_imports_show_no_traceback(tmp_path):
    file = tmp_path / "my lock.py"
    file.write_text(BROKEN)
    process = watching(tmp_path)
    try:
        for number in range(12):
            time.sleep(0.15 + 0.07 * number)
            replace(file, f"{BROKEN}\n# {number}\n")
        wait_for(tmp_path, 1, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 1
    finally:
        process.kill()
    assert "Traceback" not in (tmp_path / "stderr").read_text()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--scheduler", "pcr"], "pcr"),
        (["--time", "soon"], "soon"),
        (["--param", "writers"], "NAME=VALUE"),
        (["--block", "1", "--open", "writers"], "leave out --open"),
    ],
)
def test_what_no_save_can_mend_is_not_watched(tmp_path, wrong, said):
    (tmp_path / "lock.py").write_text(BROKEN)
    refused = subprocess.run(
        [*FUZZ, "lock.py", "--watch", *wrong], cwd=tmp_path, capture_output=True, text=True,
        timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert refused.returncode == 2, refused.stderr
    assert said in refused.stderr and "watching" not in refused.stderr


def test_a_program_of_the_library_cannot_be_watched():
    refused = subprocess.run(
        [*FUZZ, "thp_split", "--watch"], cwd=ROOT, capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert "--watch needs a file of your own" in refused.stderr


def test_a_save_is_seen_in_the_folder_and_in_packages_of_it(tmp_path):
    package = tmp_path / "pages"
    package.mkdir()
    for path in (tmp_path / "a.py", package / "__init__.py", package / "put.py"):
        path.write_text("x = 1\n")
    before = saved(tmp_path)
    assert sorted(path.name for path in before) == ["__init__.py", "a.py", "put.py"]
    replace(package / "put.py", "x = 2\n")
    assert saved(tmp_path) != before
    assert saved(tmp_path) == saved(tmp_path)
