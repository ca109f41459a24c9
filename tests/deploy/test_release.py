"""A release: built, installed where nothing of this tree is, executed; and what it consists of."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.repository.tree import ROOT, files

pytestmark = pytest.mark.slow
REVISION = "0123456789abcdef"


def execute(command, *, cwd, **environment):
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**kept, **environment}, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A wheel and a source distribution, from a copy of what git has; the wheel from the latter."""
    source = tmp_path_factory.mktemp("source")
    for path in files():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    execute(command, cwd=source, GRACEFUZZ_REVISION=REVISION)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """An environment with the wheel; what it stands on is read from where this test runs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file is searched last, and .pth files in it are not obeyed: what is being
    # tested here, an editable install, stays out.
    packages = Path(pytest.__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{packages}\n")
    (wheel,) = built.glob("*.whl")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel]
    execute([sys.executable, "-m", "pip", *install], cwd=folder)
    return folder / "bin" / "python", folder


def gracefuzz(installed, *arguments):
    python, folder = installed
    script = "import sys; from service.cli import main; sys.exit(main())"
    return execute([python, "-c", script, *arguments], cwd=folder)


def test_a_source_distribution_holds_what_an_operator_needs(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"constraints.txt", "deploy/README.md", "deploy/image/role.sh", "LICENSE"} <= names
    assert not any(name.startswith("deploy/compose/secrets") for name in names)


def test_a_wheel_holds_every_file_of_the_packages(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    packages = ("model", "storage", "workers", "service")
    wanted = {str(path) for path in files() if path.parts[0] in packages}
    assert wanted - {"model/README.md"} <= names


def test_the_installed_wheel_says_its_version_and_commit(installed):
    stated = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert stated is not None
    said = gracefuzz(installed, "--version")
    assert said.startswith(f"gracefuzz {stated[1]} ({REVISION[:12]}), Python 3.")


def test_the_installed_wheel_finds_the_seeds_race(installed):
    python, folder = installed
    where = execute([python, "-c", "import model; print(model.__file__)"], cwd=folder)
    assert str(folder) in where
    budget = ["--schedules", "20000", "--workers", "0", "--db", str(folder / "x.db"), "--json"]
    found = json.loads(gracefuzz(installed, "fuzz", "thp_split", *budget))
    assert found["failures"] and found["disagreements"] == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there_for_the_usual_shells(shell, tmp_path):
    script = Path(sys.executable).with_name("gracefuzz")
    said = execute(
        [script], cwd=tmp_path, PYTHONPATH=str(ROOT), _GRACEFUZZ_COMPLETE=f"source_{shell}"
    )
    assert f"_GRACEFUZZ_COMPLETE=complete_{shell}" in said


def test_completion_knows_the_commands(tmp_path):
    script = Path(sys.executable).with_name("gracefuzz")
    asked = {"COMP_WORDS": "gracefuzz ca", "COMP_CWORD": "1"}
    said = execute(
        [script], cwd=tmp_path, PYTHONPATH=str(ROOT), _GRACEFUZZ_COMPLETE="complete_bash", **asked
    )
    assert said.split() == ["campaigns"]


def test_the_bill_of_materials_names_what_gracefuzz_runs_on(tmp_path):
    bill = json.loads(execute([sys.executable, ROOT / "deploy" / "sbom.py"], cwd=tmp_path))
    assert bill["bomFormat"] == "CycloneDX"
    named = {part["name"]: part["version"] for part in bill["components"]}
    constraints = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    pins = dict(line.split("==") for line in constraints.split() if "==" in line)
    assert named.items() <= pins.items()
    assert {"ray", "llvmlite", "numpy", "sqlalchemy", "hypothesis", "prometheus-client"} <= set(
        named
    )
    # What those need, but not what only developers do.
    assert "mako" in named
    assert "pytest" not in named and bill["metadata"]["component"]["name"] == "gracefuzz"
