"""What is in deploy/ is well formed, as far as tools reach; and each tool notices a mistake."""

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.deploy.tools import DEPLOY, accepted, run
from tests.repository.tree import ROOT, files

IMAGE = DEPLOY / "image" / "Dockerfile"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
COMPOSE_SCHEMA = Path(__file__).parent / "vendor" / "compose-spec.json"
KUBERNETES = DEPLOY / "kubernetes"
RAYCLUSTER = json.loads((KUBERNETES / "schemas" / "raycluster.json").read_text())
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SCRIPTS = [path for path in files() if path.suffix == ".sh"]
OVERLAYS = ["base", "overlays/small", "overlays/autoscaled"]
# Of prometheus-operator; nothing here has its schema.
UNCHECKED = {"PodMonitor"}
ROLES = {"service", "migrate", "head", "coordinator", "worker"}


@cache
def rendered(overlay: str) -> str:
    return accepted("kubectl", "kustomize", KUBERNETES / overlay)


def resources(overlay: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(rendered(overlay)))


def complaints(resource: dict[str, Any]) -> list[str]:
    """What a schema says against a resource; of a RayCluster, also against its pods."""
    if resource["kind"] == "RayCluster":
        found = jsonschema.Draft202012Validator(RAYCLUSTER).iter_errors(resource)
        pods = [complaint for pod in pods_of(resource) for complaint in complaints(pod)]
        return [error.message for error in found] + pods
    try:
        kubernetes_validate.validate(resource, "1.37", strict=True)
    except kubernetes_validate.ValidationError as error:
        return [error.message]
    return []


def pods_of(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods that a resource makes, as resources of their own."""
    spec = resource.get("spec", {})
    groups = [spec] if resource["kind"] in ("Deployment", "Job") else []
    if resource["kind"] == "RayCluster":
        groups = [spec["headGroupSpec"], *spec.get("workerGroupSpecs", [])]
    head = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}}
    return [{**head, "spec": group["template"]["spec"]} for group in groups]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_schemas_accept_every_resource(overlay):
    found = resources(overlay)
    assert {"RayCluster", "Deployment", "Job", "NetworkPolicy"} <= {each["kind"] for each in found}
    for each in found:
        if each["kind"] not in UNCHECKED:
            assert complaints(each) == [], each["metadata"]["name"]


def test_a_wrong_field_is_noticed():
    by_kind = {each["kind"]: each for each in resources("base")}
    deployment = copy.deepcopy(by_kind["Deployment"])
    deployment["spec"]["replicaz"] = 2
    cluster = copy.deepcopy(by_kind["RayCluster"])
    del cluster["spec"]["workerGroupSpecs"][0]["groupName"]
    pod = copy.deepcopy(by_kind["RayCluster"])
    pod["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["imagge"] = "x"
    for wrong, word in ((deployment, "replicaz"), (cluster, "groupName"), (pod, "imagge")):
        assert any(word in said for said in complaints(wrong))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_confined_and_pinned(overlay):
    pods = [pod["spec"] for each in resources(overlay) for pod in pods_of(each)]
    assert len(pods) == 4
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert re.fullmatch(r"gracefuzz:\d+\.\d+\.\d+", container["image"])
            assert {"requests", "limits"} <= set(container["resources"])


def test_the_autoscaler_has_bounds():
    (cluster,) = (each for each in resources("overlays/autoscaled") if each["kind"] == "RayCluster")
    (group,) = cluster["spec"]["workerGroupSpecs"]
    assert cluster["spec"]["enableInTreeAutoscaling"] is True
    assert 0 < group["minReplicas"] < group["maxReplicas"] <= 64


def test_every_secret_that_is_mounted_is_explained():
    guide = (DEPLOY / "README.md").read_text()
    mounted = set(re.findall(r"secretName: (\S+)", rendered("base")))
    assert mounted == {"gracefuzz-database", "gracefuzz-tokens"}
    assert all(name in guide for name in mounted)


def test_versions_are_those_of_the_constraints():
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
    )
    (cluster,) = (each for each in resources("base") if each["kind"] == "RayCluster")
    assert cluster["spec"]["rayVersion"] == pins["ray"]
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"newTag: {version[1]}" in (KUBERNETES / "base" / "kustomization.yaml").read_text()
    assert f"GRACEFUZZ_VERSION:-{version[1]}}}" in COMPOSE.read_text()


def compose_complaints(text: str) -> list[str]:
    """What the schema of the compose specification says against a file."""
    schema = json.loads(COMPOSE_SCHEMA.read_text())
    found = jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(text))
    return [error.message for error in found]


def test_the_compose_file_is_one():
    text = COMPOSE.read_text()
    assert compose_complaints(text) == []
    wrong = compose_complaints(text.replace("healthcheck:", "healthchek:", 1))
    assert len(wrong) == 1 and "healthchek" in wrong[0]


def test_only_loopback_ports_are_published_and_secrets_are_files():
    compose = yaml.safe_load(COMPOSE.read_text())
    ports = [port for each in compose["services"].values() for port in each.get("ports", ())]
    assert len(ports) == 3 and all(port.startswith("127.0.0.1:") for port in ports)
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())
    roles = {each["command"][0] for each in compose["services"].values() if "build" in each}
    assert roles == ROLES
    assert "database" not in compose["services"]["ray-worker"]["networks"]


def test_the_secrets_of_a_host_are_made_once(tmp_path):
    folder = tmp_path / "compose"
    folder.mkdir()
    script = folder / "make-secrets.sh"
    script.write_text((DEPLOY / "compose" / "make-secrets.sh").read_text())
    accepted("sh", script)
    made = {path.name: path.read_text() for path in (folder / "secrets").iterdir()}
    compose = yaml.safe_load(COMPOSE.read_text())
    assert {f"./secrets/{name}" for name in made} == {
        secret["file"] for secret in compose["secrets"].values()
    }
    assert made["postgres_password"] in made["database_url"]
    assert re.fullmatch("gracefuzz_[0-9a-f]{64}", made["prometheus_token"])
    assert (folder / "secrets").stat().st_mode & 0o077 == 0
    accepted("sh", script)
    assert made == {path.name: path.read_text() for path in (folder / "secrets").iterdir()}


def test_hadolint_accepts_the_image(tmp_path):
    accepted("hadolint", IMAGE)
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM python\nRUN cd /tmp\n")
    assert run("hadolint", wrong).returncode == 1


def test_the_image_copies_what_is_there_and_ends_as_nobody():
    text = IMAGE.read_text()
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", text, re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert "deploy/image/role.sh" in names and "constraints.txt" in names
    assert all((ROOT / name).exists() for name in names)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in names} == {line for line in ignored if line.startswith("!")}
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["10001:10001"]
    assert all(":" in image for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_shellcheck_accepts_the_scripts(script):
    accepted("shellcheck", ROOT / script)


def test_shellcheck_notices_a_mistake(tmp_path):
    wrong = tmp_path / "wrong.sh"
    wrong.write_text("#!/bin/sh\nrm -rf $1/*\n")
    assert run("shellcheck", wrong).returncode == 1


def verified(folder: Path) -> str:
    """What systemd says of the units, with a program in place of one that is not installed."""
    for unit in UNITS:
        text = unit.read_text().replace("/opt/gracefuzz/role.sh", "/bin/true")
        (folder / unit.name).write_text(text)
    done = run("systemd-analyze", "verify", *sorted(folder.glob("*.service")))
    return done.stdout + done.stderr


def test_systemd_accepts_the_units(tmp_path):
    assert {unit.stem.removeprefix("gracefuzz-") for unit in UNITS} == ROLES
    assert verified(tmp_path) == ""


def test_systemd_notices_a_wrong_key(tmp_path):
    wrong = "[Service]\nExecStart=/bin/true\nRestarts=always\n"
    (tmp_path / "wrong.service").write_text(wrong)
    assert "Restarts" in verified(tmp_path)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_units_are_hardened(unit):
    done = run("systemd-analyze", "security", "--offline=yes", "--threshold=40", unit)
    assert done.returncode == 0, done.stdout
    named = re.findall(r"^ExecStart=/opt/gracefuzz/role.sh (\w+)$", unit.read_text(), re.MULTILINE)
    assert named == [unit.stem.removeprefix("gracefuzz-")]
