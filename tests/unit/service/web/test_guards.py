"""What is too large or too often is refused before a route sees it."""

import pytest
from fastapi.testclient import TestClient

from service.web.app import BODY_BYTES_MAX, Limits, create_app
from service.web.guards import CLIENTS_MAX, TokenBuckets


def test_a_bucket_lets_a_burst_through_and_then_a_rate():
    buckets = TokenBuckets(rate=2.0, burst=3)
    assert [buckets.take("a", now_seconds=0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("b", now_seconds=0.0) == 0.0
    assert buckets.take("a", now_seconds=0.5) == 0.0
    assert buckets.take("a", now_seconds=0.5) == pytest.approx(0.5)


def test_only_so_many_clients_are_remembered():
    buckets = TokenBuckets(rate=1.0, burst=1)
    for number in range(CLIENTS_MAX + 1):
        assert buckets.take(str(number), now_seconds=0.0) == 0.0
    assert buckets.take(str(CLIENTS_MAX), now_seconds=0.0) > 0
    assert buckets.take("0", now_seconds=0.0) == 0.0


def test_who_asks_too_often_is_told_when_to_ask_again(found):
    with TestClient(
        create_app(found, limits=Limits(requests_per_second=0.5, burst=1)),
        base_url="http://127.0.0.1",
    ) as client:
        assert client.get("/api/v1/programs").status_code == 200
        refused = client.get("/api/v1/programs")
    assert refused.status_code == 429 and 1 <= int(refused.headers["retry-after"]) <= 2
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_too_large_is_refused_with_and_without_a_length(client):
    whole = b"x" * (BODY_BYTES_MAX + 1)
    assert client.post("/api/v1/programs", content=whole).status_code == 413
    chunks = (whole[at : at + 65536] for at in range(0, len(whole), 65536))
    assert client.post("/api/v1/programs", content=chunks).status_code == 413
    assert client.post("/api/v1/programs", content=whole[1:]).status_code == 403


def test_every_answer_tells_browsers_what_they_may_do(client):
    for path in ("/failures", "/api/v1/failures", "/static/gracefuzz.css", "/nothing"):
        headers = client.get(path, headers={"Accept": "text/html"}).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
