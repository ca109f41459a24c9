"""What pyproject.toml cannot say: a build notes the commit that it was made from."""

import os
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

NOTE = "service/revision.txt"


def revision() -> str:
    """From a source distribution's own note, the environment, or git; else `unknown`."""
    if Path(NOTE).exists():
        return Path(NOTE).read_text(encoding="ascii").strip()
    if given := os.environ.get("GRACEFUZZ_REVISION", ""):
        return given[:12]
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def write_note(folder: str) -> None:
    """The note, where the package's other files are."""
    path = Path(folder) / NOTE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(revision() + "\n", encoding="ascii")


class BuildWithNote(build_py):
    """The modules and the note; an editable install asks git instead."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            write_note(self.build_lib)


class SourceWithNote(sdist):
    """The files and the note, since a source distribution has no git."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        write_note(base_dir)


setup(cmdclass={"build_py": BuildWithNote, "sdist": SourceWithNote})
