"""Rules and dashboard: every query parses, every metric is served, every alert has its page."""

import json
import re
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import promql_parser
import pytest
import yaml
from fastapi.testclient import TestClient

from service.cli import execute
from service.web.app import create_app
from storage.campaigns import start_campaign
from storage.leadership import lead
from storage.leases import LeaseWish, give_leases
from storage.programs import record_program
from storage.session import open_database
from tests.deploy.tools import DEPLOY, accepted, run
from tests.repository.tree import ROOT
from tests.unit.storage.conftest import PLAN, PROGRAM

RULES = DEPLOY / "prometheus" / "rules.yml"
RULES_TEST = DEPLOY / "prometheus" / "rules_test.yml"
DASHBOARD = DEPLOY / "grafana" / "gracefuzz.json"
GUIDE = (DEPLOY / "README.md").read_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all metrics of a service over a campaign that found something and goes on."""
    path = tmp_path_factory.mktemp("monitoring") / "gracefuzz.db"
    budget = ["--schedules", "5000", "--workers", "0"]
    assert execute(["fuzz", str(ROOT / "tests/lost_update.py"), *budget, "--db", str(path)]) == 1
    now = datetime.now(UTC)
    with open_database(path) as database:
        with database.write() as session:
            record_program(session, PROGRAM, now=now)
            epoch = lead(session, "a coordinator", instead_of=None, now=now)
            assert epoch is not None
            campaign = start_campaign(session, PLAN, now=now)
            give_leases(session, campaign, [LeaseWish("core 0", 4)], now=now, epoch=epoch)
        with TestClient(create_app(database), base_url="http://127.0.0.1") as client:
            client.get("/failures")
            text = client.get("/metrics").text
    return set(re.findall(r"^(gracefuzz_\w+)(?:\{| )", text, re.MULTILINE))


def alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load(RULES.read_text())
    return [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]


def queries() -> Iterator[tuple[str, str]]:
    """Every query of the rules and of the dashboard, by where it stands."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")


def metrics_of(query: str) -> set[str]:
    """The metrics that a query reads. Raises ValueError where it is none."""
    promql_parser.parse(query)
    without_labels = re.sub(r'\{[^}]*\}|"[^"]*"|\b(?:by|on|without) \([^)]*\)', "", query)
    return set(re.findall(r"\b(?:gracefuzz_\w+|up\b|\w+:\w+:\w+)", without_labels))


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_every_query_reads_metrics_that_are_served(where, query, served):
    records = {
        rule["record"]
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    read = metrics_of(query)
    assert read and read <= served | records | {"up"}, where


def test_a_query_that_is_none_is_noticed():
    with pytest.raises(ValueError):
        metrics_of("sum by (rate(")
    assert metrics_of("gracefuzz_misspelt > 0") == {"gracefuzz_misspelt"}


def test_promtool_accepts_the_rules_and_each_alert_fires_when_it_should():
    accepted("promtool", "check", "rules", RULES)
    accepted("promtool", "test", "rules", RULES_TEST)
    tested = yaml.safe_load(RULES_TEST.read_text())["tests"]
    fired = {
        each["alertname"]
        for test in tested
        for each in test["alert_rule_test"]
        if each["exp_alerts"]
    }
    assert fired == {alert["alert"] for alert in alerts()}


def test_promtool_notices_an_alert_that_does_not_fire(tmp_path):
    for path, text in (
        (RULES, RULES.read_text().replace("gracefuzz_quarantined_ranges > 0", "vector(0) > 1")),
        (RULES_TEST, RULES_TEST.read_text()),
    ):
        (tmp_path / path.name).write_text(text)
    done = run("promtool", "test", "rules", tmp_path / RULES_TEST.name)
    assert done.returncode == 1 and "GracefuzzQuarantine" in done.stdout + done.stderr


def test_prometheus_accepts_its_configuration(tmp_path):
    token = tmp_path / "token"
    token.write_text("x")
    config = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    config = config.replace("/run/secrets/prometheus_token", str(token))
    (tmp_path / "prometheus.yml").write_text(config.replace("rules.yml", str(RULES)))
    accepted("promtool", "check", "config", tmp_path / "prometheus.yml")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_every_alert_has_a_page_with_three_commands_that_exist(alert):
    file, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert file == "deploy/README.md"
    found = re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    sections = {title.lower(): text for title, text in found}
    commands = re.findall(r"^\d\. `([^`]+)`", sections[anchor], re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        if command.startswith("gracefuzz "):
            words = command.split()[1:]
            assert is_a_command(words), command


def is_a_command(words: list[str]) -> bool:
    """Whether the command line knows these words, options and all but placeholders."""
    names = []
    for word in words:
        if not re.fullmatch("[a-z]+", word):
            break
        names.append(word)
    return execute([*names[:2], "--help"]) == 0 or execute([*names[:1], "--help"]) == 0


def test_the_dashboard_is_what_its_code_makes():
    code = runpy.run_path(str(DEPLOY / "grafana" / "dashboard.py"))
    assert DASHBOARD.read_text() == code["rendered"]()


def test_every_panel_says_what_it_shows():
    board = json.loads(DASHBOARD.read_text())
    assert board["uid"] == "gracefuzz"
    titles = set()
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        titles.add(panel["title"])
    assert len(titles) == len([each for each in board["panels"] if each["type"] != "row"])


def test_grafana_is_given_the_dashboard_where_compose_puts_it():
    (provider,) = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "dashboards" / "gracefuzz.yaml").read_text()
    )["providers"]
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    mounted = [each.split(":")[1] for each in compose["services"]["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/gracefuzz.json" in mounted
