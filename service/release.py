"""Which gracefuzz this is: the version, and the commit it was built from."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

# Written by setup.py into what is built; a checkout has git instead.
BUILT_FROM = Path(__file__).with_name("revision.txt")
GIT_SECONDS_MAX = 5.0


def build_information() -> str:
    """One line: `gracefuzz 0.1.0 (1a2b3c4d5e6f), Python 3.11.7, Linux x86_64`."""
    where = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return f"gracefuzz {version('gracefuzz')} ({revision()}), {where}"


def revision() -> str:
    """The commit's first 12 digits, with `+changes` for what git does not have; or `unknown`."""
    if BUILT_FROM.exists():
        return BUILT_FROM.read_text(encoding="ascii").strip()
    folder = Path(__file__).parent
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=GIT_SECONDS_MAX
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"
