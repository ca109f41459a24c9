"""role.sh refuses what would be unsafe or cannot work, in a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.tools import DEPLOY

ROLE = DEPLOY / "image" / "role.sh"


def role(*arguments, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    # As in the image, where gracefuzz is on the PATH.
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return subprocess.run(
        [ROLE, *arguments], env={**kept, **environment}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("arguments", [(), ("serve",)])
def test_without_a_role_the_roles_are_listed(arguments):
    done = role(*arguments)
    assert done.returncode == 2
    for name in ("service", "migrate", "head", "coordinator", "worker", "drain", "healthy"):
        assert f"role.sh {name}" in done.stderr


@pytest.mark.parametrize("name", ["head", "coordinator", "worker", "drain"])
def test_ray_is_never_started_open(name, tmp_path):
    run_in = {"GRACEFUZZ_ROLE_FILE": str(tmp_path / "role")}
    done = role(name, RAY_AUTH_MODE="disabled", **run_in)
    assert done.returncode == 2 and "set it to token" in done.stderr
    done = role(name, RAY_AUTH_TOKEN_PATH=str(tmp_path / "none"), **run_in)
    assert done.returncode == 2 and "openssl rand -hex 32" in done.stderr


def test_migrating_makes_the_database_and_the_tokens_once(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tokens / "prometheus.read").write_text("gracefuzz_" + "0a" * 32)
    url = tmp_path / "database_url"
    url.write_text(f"sqlite:///{tmp_path}/gracefuzz.db\n")
    environment = {
        "GRACEFUZZ_DB": "",
        "GRACEFUZZ_DB_FILE": str(url),
        "GRACEFUZZ_TOKENS": str(tokens),
        "GRACEFUZZ_ROLE_FILE": str(tmp_path / "role"),
    }
    first, second = role("migrate", **environment), role("migrate", **environment)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "the token 'prometheus' is made" in first.stdout
    assert "the token 'prometheus' was made before" in second.stdout
    assert (tmp_path / "gracefuzz.db").exists()


def test_a_container_without_a_role_is_not_healthy(tmp_path):
    done = role("healthy", GRACEFUZZ_ROLE_FILE=str(tmp_path / "none"))
    assert done.returncode == 2 and "no role was started here" in done.stderr
