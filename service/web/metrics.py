"""`/metrics`: one snapshot of the database as Prometheus metrics, and what this process answered.

The snapshot is read when somebody scrapes, at most every CACHE_SECONDS. Labels are bounded: states,
statuses, at most 200 programs, at most 100 campaigns that have not ended.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from importlib.metadata import version
from threading import Lock

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.web.access import READING
from storage.session import Database
from storage.snapshot import DatabaseFigures, ProgramFigures, database_figures

CACHE_SECONDS = 2.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0)
router = APIRouter(include_in_schema=False, dependencies=[READING])


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """All metrics. Needs a token for reading, where tokens are needed."""
    return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE)


class Answers:
    """How many requests were answered, with which status and how fast, by route."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "gracefuzz_http_requests",
            "Requests answered by this process.",
            ["method", "route", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "gracefuzz_http_request_duration_seconds",
            "From a request to the end of its answer.",
            ["route"],
            buckets=BUCKETS,
            registry=registry,
        )

    def count(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """One answer; `route` is the pattern of the path, never the path."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        self._requests.labels(known, route, str(HTTPStatus(status).value)).inc()
        self._seconds.labels(route).observe(seconds)


class DatabaseCollector:
    """What the database says, at most CACHE_SECONDS old; never wrong because of a restart."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = Lock()
        self._read_at = -CACHE_SECONDS
        self._figures: DatabaseFigures | None = None
        self._seconds = 0.0

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics of one scrape, all from one snapshot."""
        seen = self._snapshot()
        yield from _programs(seen.programs)
        yield from _states(seen)
        yield from _campaigns(seen)
        yield from _work(seen)
        free = self._database.disk_free_bytes
        if free is not None:
            yield _gauge("database_disk_free_bytes", "Left on the disk of an SQLite file.", free)
        yield _gauge("snapshot_duration_seconds", "What reading this snapshot took.", self._seconds)
        info = GaugeMetricFamily(
            "gracefuzz_build_info", "Always 1; what is at work.", labels=["version", "database"]
        )
        info.add_metric(
            [version("gracefuzz"), "postgresql" if self._database.is_server else "sqlite"], 1
        )
        yield info

    def _snapshot(self) -> DatabaseFigures:
        with self._reading:
            begin = time.monotonic()
            if self._figures is None or begin >= self._read_at + CACHE_SECONDS:
                with self._database.read() as session:
                    self._figures = database_figures(session)
                self._read_at = time.monotonic()
                self._seconds = self._read_at - begin
            return self._figures


def registry_of(database: Database) -> tuple[CollectorRegistry, Answers]:
    """A registry for one application, and what counts its answers."""
    registry = CollectorRegistry()
    answers = Answers(registry)
    registry.register(DatabaseCollector(database))
    return registry, answers


def _programs(programs: dict[str, ProgramFigures]) -> Iterator[Metric]:
    families = {
        "blocks": "Blocks of which every execution has ended.",
        "schedules": "Executions that have ended.",
        "steps": "Steps executed.",
        "violations": "Executions that violated an oracle.",
    }
    for name, sentence in families.items():
        family = CounterMetricFamily(f"gracefuzz_{name}", sentence, labels=["program"])
        for program, figures in programs.items():
            family.add_metric([program], float(getattr(figures, name)))
        yield family


def _states(seen: DatabaseFigures) -> Iterator[Metric]:
    for name, sentence, label, counts in (
        ("campaigns", "Campaigns by observed state.", "state", seen.campaign_states),
        ("failures", "Failures by status.", "status", seen.failures),
        ("leases", "Ranges of blocks that are not done.", "state", seen.leases),
    ):
        family = GaugeMetricFamily(f"gracefuzz_{name}", sentence, labels=[label])
        for state, number in counts.items():
            family.add_metric([state.value], number)
        yield family
    rechecks = CounterMetricFamily(
        "gracefuzz_rechecks", "Stored failures tried again, by verdict.", labels=["verdict"]
    )
    for verdict, number in seen.rechecks.items():
        rechecks.add_metric([verdict], number)
    yield rechecks


def _campaigns(seen: DatabaseFigures) -> Iterator[Metric]:
    """Those that have not ended."""
    named = ["campaign", "program"]
    state = GaugeMetricFamily(
        "gracefuzz_campaign_state", "1 for the state of a campaign.", labels=[*named, "state"]
    )
    reached = GaugeMetricFamily(
        "gracefuzz_campaign_steps_reached", "Steps of the program seen executed.", labels=named
    )
    sampled = GaugeMetricFamily(
        "gracefuzz_campaign_schedules_sampled", "Executions looked at for coverage.", labels=named
    )
    pairs = GaugeMetricFamily(
        "gracefuzz_campaign_pairs_seen", "Ordered conflicting pairs seen.", labels=named
    )
    left = GaugeMetricFamily(
        "gracefuzz_campaign_budget_left_seconds", "Time that is left of a budget.", labels=named
    )
    for each in seen.campaigns:
        labels = [str(each.campaign_id), each.program]
        state.add_metric([*labels, each.state.value], 1)
        reached.add_metric(labels, each.steps_reached)
        sampled.add_metric(labels, float(each.executions_sampled))
        pairs.add_metric(labels, each.pairs_seen)
        if each.seconds_left is not None:
            left.add_metric(labels, each.seconds_left)
    yield from (state, reached, sampled, pairs, left)


def _work(seen: DatabaseFigures) -> Iterator[Metric]:
    yield _gauge("database_bytes", "What the database takes.", seen.size_bytes)
    yield _gauge(
        "leases_retried", "Ranges given out again after a worker failed.", seen.leases_retried
    )
    yield _gauge(
        "quarantined_ranges", "Ranges that ended their worker again and again.",
        seen.quarantined_ranges,
    )  # fmt: skip
    disagreements = CounterMetricFamily(
        "gracefuzz_engine_disagreements",
        "Hits of the circuit that the interpreter did not confirm: defects of gracefuzz.",
    )
    disagreements.add_metric([], seen.disagreements)
    yield disagreements
    yield _gauge("coordinator_leads", "1 while a coordinator leads.", float(seen.leads))
    yield from _instants(
        ("oldest_lease", "When the oldest held lease was given.", seen.oldest_lease_at),
        ("last_new_failure", "When the newest failure was found.", seen.last_new_failure_at),
        ("coordinator_beat", "When a coordinator last showed that it lives.", seen.leader_beat_at),
    )


def _instants(*named: tuple[str, str, datetime | None]) -> Iterator[Metric]:
    """Instants, not ages; absent before the first."""
    for name, sentence, moment in named:
        if moment is not None:
            yield _gauge(f"{name}_timestamp_seconds", sentence, moment.timestamp())


def _gauge(name: str, sentence: str, value: float) -> Metric:
    return GaugeMetricFamily(f"gracefuzz_{name}", sentence, value=value)
