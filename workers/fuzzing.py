"""`gracefuzz fuzz` without its options: open everything, let the campaign work, close everything.

Opened in the order in which it fails cheaply: the database, the metrics, the workers.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Protocol

import typer
from rich.console import Console

from model.circuit.native import vector_name
from model.program import Program
from model.schedulers.exhaustive import exhaustive_named
from model.schedulers.wanted import settled
from storage.session import open_database
from workers.again import order_again
from workers.campaign import CampaignReport, Coordinator
from workers.display import (
    LiveScreen,
    Title,
    failure_line,
    last_lines,
    lines_of,
    styled,
    watched,
)
from workers.excluding import excluded_pairs
from workers.failing import known_in
from workers.local_pool import LocalPool
from workers.minimizer import Minimizer
from workers.notifying import notified
from workers.orders import Budget, Order
from workers.pool import Pool
from workers.progress import Ending, FoundFailure, Progress, Verdict
from workers.report import report_json
from workers.shards import SAMPLED_EVERY, ShardSpec, already_read, exhaustive_engine_of
from workers.starting import Wish
from workers.stopping import StopRequest

# What is told of every progress, besides the screen.
Publish = Callable[[Progress], None]


class Lines(Protocol):
    """What the screen shows of a progress."""

    def __call__(
        self, progress: Progress, /, *, seconds: float, timestamp_seconds: float
    ) -> list[str]:
        """The lines, without colours."""


def fuzz(wish: Wish, program: Program, source: str, minimizer: Minimizer | None = None) -> Verdict:
    """Execute a campaign of a compiled program, show it, and give the exit code.

    `minimizer` helps where there are no workers.
    Raises what the database, the metrics' port or the pool refuse.
    """
    order = Order(
        program=program,
        source=source,
        scheduler=settled(wish.scheduler, program),
        root_seed=wish.seed,
        budget=Budget(wish.seconds, wish.schedules, wish.block, wish.stop_on_first),
        excluded_failures=wish.excluded_failures,
    )
    stop = StopRequest()
    with ExitStack() as stack:
        stack.enter_context(stop.listening())
        database = stack.enter_context(open_database(wish.database))
        if wish.again is not None:
            order = order_again(order, database, wish.again)
        elif exhaustive_named(order.scheduler) is not None:
            order = exhausting(order)
        known = known_in(database, wish.baseline)
        excluded = excluded_pairs(database, program, wish.excluded_failures)
        console = Console(stderr=True, highlight=False)
        stack.enter_context(notified(wish.database))
        publish = publisher(stack, program, console, port=wish.metrics_port)
        # The only block of a campaign is always sampled.
        every = SAMPLED_EVERY if wish.block is None else 1
        spec = ShardSpec(already_read(program), wish.seed, excluded, order.scheduler, every)
        pool = stack.enter_context(closing(open_pool(spec, minimizer, workers=wish.workers)))
        stop.listen()
        title = Title(
            program.name,
            program.parameters,
            wish.seed,
            pool.name,
            max(1, wish.workers),
            vector_name(),
        )
        with watched(console) as screen:
            watcher = Watcher(partial(lines_of, title), screen, publish, stop)
            report = Coordinator(
                database, pool, order, watcher, lambda: stop.is_requested
            ).execute()
    return conclude(wish, order, report, title, known)


def exhausting(order: Order) -> Order:
    """The order with all blocks that there are. Raises BadParameter for one that there is not."""
    blocks = exhaustive_engine_of(order.program.json, order.scheduler).blocks
    block = order.budget.block
    if block is None:
        return replace(order, blocks=range(blocks), ending=Ending.ALL_SCHEDULES)
    if block >= blocks:
        raise typer.BadParameter(f"there is no block {block}: {order.scheduler} has {blocks:,}")
    return order


def conclude(
    wish: Wish,
    order: Order,
    report: CampaignReport,
    title: Title,
    known: frozenset[str] | None = None,
) -> Verdict:
    """Print the last screen, or the JSON object, and give the exit code."""
    verdict = report.progress.verdict(only_new=wish.only_new, known=known)
    if wish.as_json:
        print(report_json(report, order, database=wish.database, verdict=verdict))
    else:
        lines = lines_of(
            title, report.progress, seconds=report.seconds, timestamp_seconds=time.time()
        )
        lines += last_lines(report.progress.failures, database=wish.database)
        lines += [f"campaign {report.campaign_id}: {report.sentence}"]
        Console(highlight=False, soft_wrap=True).print(styled(lines))
    say_if_worthless(verdict, report.progress)
    return verdict


def say_if_worthless(verdict: Verdict, progress: Progress) -> None:
    """On stderr, where an exit code other than 0 comes of no violation."""
    if verdict is Verdict.INFRASTRUCTURE:
        typer.echo(
            "no violation was found, but that proves nothing: "
            + ("nothing was executed" if progress.blocks == 0 else "see the messages above"),
            err=True,
        )


def open_pool(spec: ShardSpec | None, minimizer: Minimizer | None = None, *, workers: int) -> Pool:
    """Ray actors, or this process alone for 0; without a spec all work brings its own.

    Raises PoolError.
    """
    if workers == 0:
        return LocalPool(spec, minimizer)
    # Imported here: Ray takes a third of a second, and --workers 0 does without it.
    from workers.ray_pool import RayPool

    return RayPool(spec, workers=workers)


def publisher(stack: ExitStack, program: Program, console: Console, *, port: int | None) -> Publish:
    """Serve metrics until the stack is closed, where that is asked for. Raises PortTaken."""
    if port is None:
        return lambda _progress: None
    # Imported here: most campaigns serve no metrics.
    from workers.metrics import LOOPBACK, CampaignCollector, served

    empty = Progress(program)
    collector = CampaignCollector(
        program.name, program_steps=empty.program_steps, possible_pairs=empty.possible_pairs
    )
    taken = stack.enter_context(served(collector, port=port))
    console.print(f"metrics: http://{LOOPBACK}:{taken}/metrics", soft_wrap=True)
    return collector.publish


class Watcher:
    """Passes on what the coordinator says: to the screen, the collector and stderr."""

    def __init__(
        self, lines: Lines, screen: LiveScreen, publish: Publish, stop: StopRequest
    ) -> None:
        self._lines = lines
        self._screen = screen
        self._publish = publish
        self._stop = stop
        self._stop_was_said = False
        self._begun = time.monotonic()

    def progressed(self, progress: Progress) -> None:
        """Update the screen and the metrics."""
        if self._stop.is_requested and not self._stop_was_said:
            self._stop_was_said = True
            self.said("stopping when what is in flight has ended; Ctrl-C again aborts")
        self._publish(progress)
        if self._screen.is_watched:
            seconds = time.monotonic() - self._begun
            now = time.time()
            self._screen.show(self._lines(progress, seconds=seconds, timestamp_seconds=now))

    def found(self, failure: FoundFailure) -> None:
        """On a terminal the screen shows it; elsewhere a line does."""
        if not self._screen.is_watched:
            self.said(("new:" if failure.is_new else "seen:") + failure_line(failure))

    def said(self, sentence: str) -> None:
        """A message on stderr."""
        self._screen.say(sentence)
