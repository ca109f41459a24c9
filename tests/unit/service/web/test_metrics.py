"""`/metrics`: exact, bounded, well named, and from one snapshot."""

import re
import shutil
import subprocess

import pytest
from fastapi.testclient import TestClient

from service.web.app import create_app
from storage.campaigns import get_campaign
from storage.snapshot import database_figures


def value_of(text: str, name: str, **labels: str) -> float:
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match and match[1] == name and wanted <= set((match[2] or "").split(",")):
            return float(match[3])
    raise AssertionError(f"no {name} with {labels}")


def test_totals_are_those_of_the_database(client, found):
    text = client.get("/metrics").text
    with found.read() as session:
        campaign = get_campaign(session, 1)
        figures = database_figures(session)
    assert value_of(text, "gracefuzz_schedules_total", program="lost_update") == campaign.schedules
    assert value_of(text, "gracefuzz_violations_total", program="lost_update") > 0
    assert value_of(text, "gracefuzz_failures", status="open") == 1
    assert value_of(text, "gracefuzz_failures", status="fixed") == 0
    assert value_of(text, "gracefuzz_campaigns", state="finished") == 1
    assert value_of(text, "gracefuzz_engine_disagreements_total") == 0
    assert value_of(text, "gracefuzz_coordinator_leads") == 0
    assert value_of(text, "gracefuzz_leases_retried") == 0
    assert value_of(text, "gracefuzz_database_bytes") == figures.size_bytes > 4096
    assert value_of(text, "gracefuzz_database_disk_free_bytes") > 0
    moment = value_of(text, "gracefuzz_last_new_failure_timestamp_seconds")
    assert moment == pytest.approx(figures.last_new_failure_at.timestamp())


def test_totals_are_the_same_after_a_restart(client, found):
    first = client.get("/metrics").text
    with TestClient(create_app(found), base_url="http://127.0.0.1") as again:
        second = again.get("/metrics").text
    for name in ("schedules", "steps", "violations", "blocks"):
        total = f"gracefuzz_{name}_total"
        assert value_of(first, total) == value_of(second, total)


def test_answers_are_counted_by_route_and_never_by_path(client):
    for path in ("/failures/1", "/failures/99", "/no/such/1", "/no/such/2"):
        client.get(path)
    text = client.get("/metrics").text
    route = {"route": "/failures/{failure_id}", "method": "GET"}
    assert value_of(text, "gracefuzz_http_requests_total", code="200", **route) == 1
    assert value_of(text, "gracefuzz_http_requests_total", code="404", **route) == 1
    assert value_of(text, "gracefuzz_http_requests_total", code="404", route="none") == 2
    assert "/no/such" not in text
    assert value_of(text, "gracefuzz_http_request_duration_seconds_count", route="none") == 2


def test_metrics_need_a_token_where_one_is_needed(found):
    with TestClient(create_app(found, is_open=False), base_url="http://127.0.0.1") as client:
        assert client.get("/metrics").status_code == 401


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_complain_of(client):
    client.get("/failures/1")
    text = client.get("/metrics").text
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
