"""The commands of every role, as compose.yaml wires them, on hosts in namespaces of their own."""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.tools import DEPLOY
from tests.end_to_end import hosts
from tests.end_to_end.hosts import NETWORK, Host, wait_until
from workers import postgresql_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
ROLE = DEPLOY / "image" / "role.sh"
GRACEFUZZ = Path(sys.executable).with_name("gracefuzz")
READ, ADMIN = ("gracefuzz_" + digit * 64 for digit in "ab")


@pytest.fixture
def folder():
    """Short: Ray's sockets have long names. Readable: PostgreSQL is another user."""
    path = Path(tempfile.mkdtemp(prefix="gfr", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def start_postgresql(host: Host, folder: Path) -> str:
    """A server that listens to the hosts; gives its URL."""
    data = folder / "postgresql"
    data.mkdir()
    server = postgresql_server.made_server(data)
    with (data / "data" / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NETWORK}.0/24 scram-sha-256\n")
    options = [
        "-p",
        "5432",
        "-k",
        data,
        "-c",
        f"listen_addresses={host.address}",
        "-c",
        "fsync=off",
    ]
    command = postgresql_server.as_user("postgres", "-D", f"{data}/data", *map(str, options))
    host.start("postgresql", *command)
    return f"postgresql://postgres:{server.password}@{host.address}:5432/postgres"


def write_secrets(folder: Path, url: str) -> dict[str, str]:
    """The files that compose.yaml mounts, as the settings that name them."""
    tokens = folder / "tokens"
    tokens.mkdir()
    (tokens / "prometheus.read").write_text(READ)
    (tokens / "operator.admin").write_text(ADMIN)
    (folder / "database_url").write_text(url + "\n")
    (folder / "ray_token").write_text(os.urandom(32).hex())
    return {
        "PATH": f"{GRACEFUZZ.parent}:{os.environ['PATH']}",
        "GRACEFUZZ_DB_FILE": str(folder / "database_url"),
        "GRACEFUZZ_TOKENS": str(tokens),
        "GRACEFUZZ_ROLE_FILE": str(folder / "role"),
        "RAY_AUTH_TOKEN_PATH": str(folder / "ray_token"),
        # A host that is cut off is given up after some three seconds.
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "1000",
    }


@dataclass(slots=True)
class Installation:
    """Every role on a host of its own; the coordinator stands beside the head."""

    folder: Path
    db: Host
    service: Host
    head: Host
    worker1: Host
    worker2: Host
    prometheus: Host
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"http://{self.service.address}:8080"

    def start(self) -> None:
        """In the order of compose.yaml, each when what it stands on is healthy."""
        self.settings = write_secrets(self.folder, start_postgresql(self.db, self.folder))
        self.settings["GRACEFUZZ_RAY"] = f"{self.head.address}:6379"
        wait_until(self.is_migrated, seconds=60, what="the database is migrated")
        self.service.start("service", ROLE, "service", **self.settings)
        head = self.head.start("head", ROLE, "head", **self.of_ray(self.head))
        wait_until(lambda: self.is_healthy("head"), seconds=90, what="the head answers")
        for worker in (self.worker1, self.worker2):
            self.start_worker(worker)
        self.start_prometheus()
        settings = self.of_ray(self.head)
        self.head.start_beside(head, "coordinator", ROLE, "coordinator", **settings)
        wait_until(self.is_ready, seconds=60, what="the service answers")

    def of_ray(self, host: Host) -> dict[str, str]:
        """The settings of a node."""
        name = host.name.partition("-")[2]
        return {
            **self.settings,
            "GRACEFUZZ_RAY_TEMP": str(self.folder / name),
            "GRACEFUZZ_NODE_IP": host.address,
            "GRACEFUZZ_ROLE_FILE": str(self.folder / f"role-of-{name}"),
            "GRACEFUZZ_CORES": "1",
        }

    def start_worker(self, host: Host) -> None:
        host.start(host.name.partition("-")[2], ROLE, "worker", **self.of_ray(host))

    def start_prometheus(self) -> None:
        """With the configuration and the rules of deploy/."""
        config = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
        token = str(self.folder / "tokens" / "prometheus.read")
        config = config.replace("/run/secrets/prometheus_token", token).replace("15s", "1s")
        config = config.replace("service:8080", f"{self.service.address}:8080")
        (self.folder / "prometheus.yml").write_text(config)
        shutil.copy(DEPLOY / "prometheus" / "rules.yml", self.folder)
        options = [f"--config.file={self.folder}/prometheus.yml"]
        options += [
            f"--storage.tsdb.path={self.folder}/tsdb",
            "--web.listen-address=127.0.0.1:9090",
        ]
        self.prometheus.start("prometheus", "prometheus", *options)

    def is_migrated(self) -> bool:
        return self.db.run(ROLE, "migrate", **self.settings).returncode == 0

    def is_healthy(self, name: str) -> bool:
        host = getattr(self, name)
        return bool(host.run(ROLE, "healthy", **self.of_ray(host)).returncode == 0)

    def is_ready(self) -> bool:
        return self.service.run(ROLE, "healthy", **self.settings).returncode == 0

    def read(self, path: str) -> dict[str, Any]:
        """A document of the API, as somebody on another host reads it."""
        status, text = self.prometheus.fetch(f"{self.base}/api/v1/{path}", READ)
        assert status == 200, text
        return dict(json.loads(text))

    def blocks(self) -> int:
        return int(self.read("campaigns/1")["blocks"])

    def asked(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers to a query."""
        url = f"http://127.0.0.1:9090/api/v1/query?query={query}"
        status, text = self.prometheus.fetch(url)
        return list(json.loads(text)["data"]["result"]) if status == 200 else []

    def nodes(self) -> set[str]:
        """The nodes whose workers hold leases, as the coordinator calls them."""
        query = "SELECT worker FROM leases WHERE worker IS NOT NULL"
        url = Path(self.settings["GRACEFUZZ_DB_FILE"]).read_text().strip()
        done = self.db.run("psql", url, "--tuples-only", "--no-align", "-c", query)
        return {line.partition("/")[0] for line in done.stdout.split()}

    def gracefuzz(self, *arguments: str) -> None:
        done = self.db.run(GRACEFUZZ, *arguments, **self.settings)
        assert done.returncode == 0, done.stderr

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


@pytest.fixture
def installation(folder: Path) -> Iterator[Installation]:
    reason = hosts.missing() or postgresql_server.missing()
    reason = reason or (shutil.which("prometheus") is None and "prometheus is not installed here")
    if reason:
        pytest.skip(reason)
    names = ("db", "service", "head", "worker1", "worker2", "prometheus")
    with hosts.hosts(folder, *names) as made:
        yield Installation(folder, *made)
        # Shown where the test fails.
        for log in sorted(folder.glob("*.log")):
            print(f"== {log.name}\n{log.read_text(errors='replace')[-3000:]}")


def test_a_campaign_finds_the_seeds_race_while_a_worker_is_cut_off_and_comes_back(installation):
    installation.start()
    assert installation.db.fetch(f"{installation.base}/api/v1/failures")[0] == 401
    installation.gracefuzz("campaigns", "create", "thp_split")

    def is_found() -> bool:
        return bool(installation.read("failures")["failures"])

    wait_until(is_found, seconds=120, what="the race is found and stored")
    counted = 'gracefuzz_violations_total{program="thp_split"}>0'
    wait_until(lambda: bool(installation.asked(counted)), seconds=60, what="Prometheus counts it")
    assert installation.asked("gracefuzz_coordinator_leads==1")

    def was_said(sentence: str) -> int:
        return len(re.findall(sentence, installation.log("coordinator")))

    wait_until(lambda: len(installation.nodes()) == 2, seconds=120, what="both work")
    first = installation.nodes()
    installation.worker2.set_link("down")
    wait_until(lambda: was_said("is gone") == 1, seconds=60, what="the coordinator misses it")
    before = installation.blocks()
    wait_until(lambda: installation.blocks() > before, seconds=60, what="the other one works")
    installation.worker2.set_link("up")

    # Ray ends a node that was given up; it is started again, and its workers with it.
    def is_back() -> bool:
        return len(installation.nodes()) == 2 and installation.nodes() != first

    wait_until(is_back, seconds=150, what="it is back")

    def is_finished() -> bool:
        return bool(installation.read("campaigns/1")["state"] == "finished")

    last = installation.blocks() + 1000
    installation.gracefuzz("campaigns", "budget", "1", "--blocks", str(last))
    wait_until(is_finished, seconds=180, what="the campaign ends")
    assert installation.blocks() == last
    assert installation.read("failures/1")["proof"]["preemptions"] == "proved"
