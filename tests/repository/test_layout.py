"""The top-level folders are the prescribed ones, and the import packages as they stand."""

import importlib.util
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.repository.tree import PACKAGES, ROOT, files

FOLDERS = {*PACKAGES, "deploy", "tests"}


def strange_folders(paths: Iterable[Path]) -> set[str]:
    folders = {path.parts[0] for path in paths if len(path.parts) > 1}
    return {folder for folder in folders - FOLDERS if not folder.startswith(".")}


def other_owners() -> dict[str, set[str]]:
    """Installed distributions, other than ours, that bring a package named like one of ours."""
    owners = packages_distributions()
    foreign = {name: set(owners.get(name, ())) - {"gracefuzz"} for name in PACKAGES}
    return {name: others for name, others in foreign.items() if others}


def test_only_the_prescribed_folders_stand_at_the_top():
    assert strange_folders(files()) == set()


def test_each_prescribed_folder_is_there():
    assert {path.parts[0] for path in files() if len(path.parts) > 1} >= FOLDERS


def test_no_other_installed_distribution_owns_one_of_our_packages():
    assert other_owners() == {}


def test_what_is_imported_is_what_stands_here():
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin == str(ROOT / name / "__init__.py")


def test_a_strange_folder_is_noticed():
    paths = [Path("model/a.py"), Path("README.md"), Path(".ci/x"), Path("scripts/b.py")]
    assert strange_folders(paths) == {"scripts"}


def test_another_owner_of_a_package_is_noticed(tmp_path, monkeypatch):
    record = tmp_path / "rival-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (record / "top_level.txt").write_text("model\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert other_owners() == {"model": {"rival"}}
