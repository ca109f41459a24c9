"""The validators that a test calls, and where they come from."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

DEPLOY = ROOT / "deploy"


def tool(name: str) -> str:
    """The path of a program; the test is skipped where this machine does not have it."""
    path = shutil.which(name) or shutil.which(name, path=str(ROOT / ".venv" / "bin"))
    if path is None:
        pytest.skip(f"{name} is not installed here")
    return path


def run(name: str, *arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Execute a validator; its answer is read by the caller."""
    return subprocess.run(
        [tool(name), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def accepted(name: str, *arguments: str | Path, cwd: Path = ROOT) -> str:
    """What a validator printed; the test fails where it found something."""
    done = run(name, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
