"""The files of this repository, as the tests in this folder see them."""

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("service", "workers", "model", "storage")


def files() -> list[Path]:
    """Every file that git tracks or would track, relative to the root, in order."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    present = {Path(name) for name in listing.stdout.split("\0") if (ROOT / name).is_file()}
    assert Path("pyproject.toml") in present
    return sorted(present)


def python_files(*top: str) -> list[Path]:
    """The Python files, of the given top-level folders or of all."""
    return [path for path in files() if path.suffix == ".py" and (not top or path.parts[0] in top)]


def text(path: Path) -> str:
    """The text of a file of the repository; empty for a binary one."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def complaints(paths: Iterable[Path], check: Callable[[str], list[str]]) -> list[str]:
    """What `check` says about the text of each file, led by the file's name."""
    return [f"{path}: {said}" for path in paths for said in check(text(path))]
