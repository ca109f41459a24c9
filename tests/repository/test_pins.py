"""Every version is stated once: ours in pyproject.toml, everyone else's in constraints.txt."""

import ast
import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository.tree import PACKAGES, complaints, python_files, text

PROJECT = tomllib.loads(text(Path("pyproject.toml")))
PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)")


def lines_that_are_no_pins(constraints: str) -> list[str]:
    lines = [line for line in constraints.splitlines() if line.strip() and line[0] != "#"]
    return [line for line in lines if not PIN.fullmatch(line)]


def pins_of(constraints: str) -> dict[str, str]:
    matches = filter(None, map(PIN.fullmatch, constraints.splitlines()))
    return {canonicalize_name(match["name"]): match["version"] for match in matches}


def stated_requirements() -> list[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    groups = [PROJECT["build-system"]["requires"], PROJECT["project"]["dependencies"], *extras]
    return [Requirement(line) for group in groups for line in group]


def unpinned(requirements: list[Requirement], pins: dict[str, str]) -> list[str]:
    """The requirements that no pin satisfies."""
    said = []
    for requirement in requirements:
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None or pin not in requirement.specifier:
            said.append(str(requirement))
    return said


def applies(requirement: Requirement) -> bool:
    """Is it required on this machine? What stands behind an extra of another package is not."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def needed_by(requirements: list[Requirement]) -> set[str]:
    """The names of all distributions that these requirements bring on this machine."""
    needed: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in needed and applies(requirement):
            needed.add(name)
            try:
                waiting += map(Requirement, distribution(name).requires or ())
            except PackageNotFoundError as missing:
                raise AssertionError(f"{name} is required and not installed") from missing
    return needed


def stated_versions(source: str) -> list[str]:
    """Where a module states our version itself in place of asking the metadata."""
    return [
        f"{node.lineno}: states the version"
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Constant) and node.value == PROJECT["project"]["version"])
        or (isinstance(node, ast.Name) and node.id == "__version__")
    ]


def test_constraints_are_exact_versions_and_no_addresses():
    constraints = text(Path("constraints.txt"))
    assert "://" not in constraints
    assert lines_that_are_no_pins(constraints) == []


def test_every_stated_requirement_is_pinned_within_its_range():
    assert unpinned(stated_requirements(), pins_of(text(Path("constraints.txt")))) == []


def test_everything_that_a_requirement_brings_is_pinned():
    pins = pins_of(text(Path("constraints.txt")))
    assert needed_by(stated_requirements()) - set(pins) == set()


def test_our_version_is_stated_in_one_place():
    assert version("gracefuzz") == PROJECT["project"]["version"]
    assert not complaints(python_files(*PACKAGES), stated_versions)


def test_a_line_that_is_no_pin_is_noticed():
    loose = ["ray>=2", "--index-url x", "a @ https://example.org/a.whl", "b==1 --hash=sha256:0"]
    assert lines_that_are_no_pins("\n".join(["# why", "a==1.0", *loose])) == loose


def test_a_requirement_without_a_fitting_pin_is_noticed():
    requirements = [Requirement("Ray>=2.60"), Requirement("numpy"), Requirement("rich<15")]
    assert unpinned(requirements, {"ray": "2.60.0", "rich": "15.0.0"}) == ["numpy", "rich<15"]


def test_what_a_requirement_brings_is_found():
    assert {"rich", "markdown-it-py", "mdurl"} <= needed_by([Requirement("rich")])


def test_a_second_statement_of_the_version_is_noticed():
    ours = PROJECT["project"]["version"]
    assert stated_versions(f"VERSION = '{ours}'") == ["1: states the version"]
    assert stated_versions("__version__ = read()") == ["1: states the version"]
