"""`gracefuzz fuzz --open`: open everything, fuzz a scenario space, show it, close everything."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from hypothesis.configuration import set_hypothesis_home_dir
from rich.console import Console

from model.circuit.native import vector_name
from model.language import ProgramSource
from model.program_json import to_json
from model.scenario_space import scenario_space
from model.schedulers.wanted import settled
from storage.locations import without_secrets
from storage.session import open_database
from storage.sources import compile_source, text_of
from workers.display import Title, last_lines, lines_of, styled, watched
from workers.excluding import excluded_pairs
from workers.failing import known_in
from workers.fuzzing import Watcher, open_pool, publisher, say_if_worthless
from workers.notifying import notified
from workers.orders import Budget
from workers.progress import Ending, Progress, Verdict
from workers.report import failure_object
from workers.scenario_progress import ScenarioProgress, Tried, space_lines
from workers.scenarios import Scenarios
from workers.shards import ShardSpec
from workers.starting import Wish
from workers.stopping import StopRequest
from workers.trying import ScenarioOrder


def fuzz_space(wish: Wish, source: ProgramSource) -> Verdict:
    """Fuzz the configurations of a program, show it, and give the exit code.

    Raises what the program, its parameters, the database, the metrics' port or the pool refuse.
    """
    space = scenario_space(source, wish.parameters, wish.opened)
    base = compile_source(source, dict(space.base))
    progress = ScenarioProgress(space, Progress(base))
    stop = StopRequest()
    with ExitStack() as stack:
        stack.enter_context(stop.listening())
        stack.enter_context(hypothesis_folder())
        database = stack.enter_context(open_database(wish.database))
        known = known_in(database, wish.baseline)
        stack.enter_context(notified(wish.database))
        order = ScenarioOrder(
            space,
            text_of(source),
            wish.scheduler,
            wish.seed,
            wish.blocks,
            wish.excluded_failures,
            excluded_pairs(database, base, wish.excluded_failures),
        )
        console = Console(stderr=True, highlight=False)
        publish = publisher(stack, base, console, port=wish.metrics_port)
        spec = ShardSpec(to_json(base), wish.seed, order.excluded, settled(wish.scheduler, base))
        pool = stack.enter_context(closing(open_pool(spec, workers=wish.workers)))
        stop.listen()
        features = tuple((feature.name, feature.values) for feature in space.features)
        title = Title(
            base.name,
            (*features, *space.fixed),
            wish.seed,
            pool.name,
            max(1, wish.workers),
            vector_name(),
        )

        def lines(totals: Progress, /, *, seconds: float, timestamp_seconds: float) -> list[str]:
            shown = lines_of(title, totals, seconds=seconds, timestamp_seconds=timestamp_seconds)
            return [shown[0], *space_lines(progress), *shown[1:]]

        begun = time.monotonic()
        budget = Budget(wish.seconds, wish.schedules, None, wish.stop_on_first)
        with watched(console) as screen:
            watcher = Watcher(lines, screen, publish, stop)
            ending = Scenarios(
                database, pool, order, budget, progress, watcher, lambda: stop.is_requested
            ).execute()
        seconds = time.monotonic() - begun
    verdict = progress.totals.verdict(only_new=wish.only_new, known=known)
    progress.doing = ""
    if wish.as_json:
        print(space_json(wish, order, progress, ending, verdict=verdict, seconds=seconds))
    else:
        last = lines(progress.totals, seconds=seconds, timestamp_seconds=time.time())
        last += last_lines(progress.totals.failures, database=wish.database)
        last += [f"{_campaigns(progress)}: {ending.value}"]
        Console(highlight=False, soft_wrap=True).print(styled(last))
    say_if_worthless(verdict, progress.totals)
    return verdict


@contextmanager
def hypothesis_folder() -> Iterator[None]:
    """Hypothesis would leave a folder where the command is given: it gets one that is removed."""
    with tempfile.TemporaryDirectory(prefix="gracefuzz-") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


def space_json(
    wish: Wish,
    order: ScenarioOrder,
    progress: ScenarioProgress,
    ending: Ending,
    *,
    verdict: Verdict,
    seconds: float,
) -> str:
    """What `gracefuzz fuzz --open … --json` prints. Counts are text: they may pass 2^53."""
    totals, space = progress.totals, order.space
    return json.dumps(
        {
            "database": without_secrets(wish.database),
            "program": space.source.name,
            "fixed": dict(space.fixed),
            "open": {each.name: [each.default, *each.others] for each in space.features},
            "scheduler": order.scheduler,
            "seed": str(order.root_seed),
            "blocks_per_configuration": order.blocks,
            "ending": ending.value,
            "exit_code": int(verdict),
            "seconds": round(seconds, 3),
            "configurations": {
                "all": str(space.size),
                "tried": progress.answered,
                "failing": progress.failing,
                "refused": progress.refused,
            },
            "kept_examples": {"still_fail": progress.kept, "fail_no_more": progress.gone},
            "blocks": str(totals.blocks),
            "schedules": str(totals.schedules),
            "steps": str(totals.steps),
            "violations": {
                "new": str(totals.new_failures),
                "known": str(totals.known_violations),
            },
            "passed_over": str(totals.passed_over),
            "disagreements": totals.disagreements,
            "workers_lost": totals.workers_lost,
            "quarantined": len(totals.quarantined),
            "campaigns": [_campaign(tried) for tried in progress.tried],
            "failures": [
                {**failure_object(found), "features": found.where}
                for _, found in sorted(totals.failures.items())
            ],
        },
        indent=2,
    )


def _campaign(tried: Tried) -> dict[str, object]:
    return {
        "campaign": tried.record.campaign_id,
        "parameters": dict(tried.configuration),
        "ir_hash": tried.program.hash,
        "schedules": None if tried.result is None else str(tried.result.schedules),
        "violations": None if tried.result is None else str(tried.result.violations),
    }


def _campaigns(progress: ScenarioProgress) -> str:
    numbers = [tried.record.campaign_id for tried in progress.tried]
    if not numbers:
        return "no campaign"
    return f"campaigns {numbers[0]} to {numbers[-1]}" if numbers[1:] else f"campaign {numbers[0]}"
