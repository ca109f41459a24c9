"""A campaign's totals as Prometheus metrics, served on loopback while it goes on.

The collector reads a snapshot that the coordinator publishes between leases, so a scrape never
waits for it and never sees half a lease. The only label of unbounded origin is the program's name,
of which a process has one; a portfolio has eight schedulers at most.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from model.circuit.block import ENGINE_REVISION
from model.residual_risk import classes_left
from model.schedulers.portfolio import Gains
from workers.errors import PortTaken
from workers.progress import Progress

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one scrape shows."""

    schedules: int = 0
    steps: int = 0
    violations_new: int = 0
    violations_known: int = 0
    steps_reached: int = 0
    executions_sampled: int = 0
    pairs_seen: int = 0
    classes_seen: float = 0.0
    new_class_ratio: float | None = None
    states_seen: int = 0
    disagreements: int = 0
    program_steps: int = 0
    possible_pairs: int = 0
    last_new_timestamp_seconds: float | None = None
    shares: Mapping[str, Gains] = field(default_factory=dict)


class CampaignCollector:
    """A Prometheus collector of one campaign; `publish` replaces what the next scrape shows."""

    def __init__(self, program: str, *, program_steps: int, possible_pairs: int) -> None:
        self._program = program
        self._snapshot = Snapshot(program_steps=program_steps, possible_pairs=possible_pairs)

    def publish(self, progress: Progress) -> None:
        """Show these totals from now on."""
        coverage = progress.coverage
        unseen = None
        if coverage.executions:
            unseen = classes_left(coverage.classes, coverage.executions).unseen
        self._snapshot = Snapshot(
            schedules=progress.schedules,
            steps=progress.steps,
            violations_new=progress.new_failures,
            violations_known=progress.known_violations,
            steps_reached=len(progress.steps_reached),
            executions_sampled=coverage.executions,
            pairs_seen=len(coverage.pairs),
            classes_seen=coverage.classes.classes,
            new_class_ratio=unseen,
            states_seen=coverage.states.count,
            disagreements=progress.disagreements,
            program_steps=progress.program_steps,
            possible_pairs=progress.possible_pairs,
            last_new_timestamp_seconds=progress.last_new_timestamp_seconds,
            shares=progress.shares,
        )

    def describe(self) -> list[Metric]:
        """Nothing: registering the collector must not ask for numbers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics of one scrape, all from one snapshot."""
        seen = self._snapshot
        yield self._counter("schedules", "Executions that have ended.", seen.schedules)
        yield self._counter("steps", "Steps executed; passes without one do not count.", seen.steps)
        yield self._violations(seen)
        yield self._gauge(
            "program_steps", "Steps of the program: labels, each counted once.", seen.program_steps
        )
        yield self._gauge(
            "program_steps_reached", "Steps of the program seen executed.", seen.steps_reached
        )
        yield from self._coverage(seen)
        if seen.shares:
            yield from self._schedulers(seen)
        yield self._counter(
            "engine_disagreements",
            "Hits of the circuit that the interpreter did not confirm: defects of gracefuzz.",
            seen.disagreements,
        )
        if seen.last_new_timestamp_seconds is not None:
            yield self._gauge(
                "last_new_violation_timestamp_seconds",
                "When a violation last made a new failure; absent until the first.",
                seen.last_new_timestamp_seconds,
            )
        info = GaugeMetricFamily(
            "gracefuzz_build_info", "Always 1; what is at work.", labels=["version", "engine"]
        )
        info.add_metric([version("gracefuzz"), str(ENGINE_REVISION)], 1)
        yield info

    def _coverage(self, seen: Snapshot) -> Iterator[Metric]:
        yield self._counter(
            "schedules_sampled", "Executions looked at for coverage.", seen.executions_sampled
        )
        yield self._gauge(
            "program_pairs", "Ordered conflicting pairs that accesses allow.", seen.possible_pairs
        )
        yield self._gauge("program_pairs_seen", "Ordered conflicting pairs seen.", seen.pairs_seen)
        yield self._gauge(
            "classes_seen", "Equivalence classes of executions seen, in samples.", seen.classes_seen
        )
        yield self._gauge("states_seen", "Distinct states seen, in samples.", seen.states_seen)
        if seen.new_class_ratio is not None:
            yield self._gauge(
                "new_class_ratio",
                "Estimated probability that the next execution is of a class not seen.",
                seen.new_class_ratio,
            )

    def _schedulers(self, seen: Snapshot) -> Iterator[Metric]:
        for name, sentence in (
            ("schedules", "Executions that have ended, by scheduler of the portfolio."),
            ("steps", "Steps executed, by scheduler of the portfolio."),
            ("violations", "Executions that violated an oracle, by scheduler of the portfolio."),
        ):
            family = CounterMetricFamily(
                f"gracefuzz_scheduler_{name}", sentence, labels=["program", "scheduler"]
            )
            for scheduler, gains in seen.shares.items():
                family.add_metric([self._program, scheduler], getattr(gains, name))
            yield family

    def _violations(self, seen: Snapshot) -> Metric:
        family = CounterMetricFamily(
            "gracefuzz_violations",
            "Executions that violated an oracle: new where one made a new failure, else known.",
            labels=["program", "kind"],
        )
        family.add_metric([self._program, "new"], seen.violations_new)
        family.add_metric([self._program, "known"], seen.violations_known)
        return family

    def _counter(self, name: str, sentence: str, value: int) -> Metric:
        family = CounterMetricFamily(f"gracefuzz_{name}", sentence, labels=["program"])
        family.add_metric([self._program], value)
        return family

    def _gauge(self, name: str, sentence: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"gracefuzz_{name}", sentence, labels=["program"])
        family.add_metric([self._program], value)
        return family


@contextmanager
def served(collector: CampaignCollector, *, port: int) -> Iterator[int]:
    """Serve the collector on loopback inside the block; gives the port, also where 0 was asked for.

    Raises PortTaken.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(port, addr=LOOPBACK, registry=registry)
    except OSError as error:
        raise PortTaken(
            f"cannot serve metrics on port {port}: {error.strerror}\n"
            "    give another port, or 0 for any that is free"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5.0)
