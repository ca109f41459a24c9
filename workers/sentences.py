"""What a person is told of what went wrong in a campaign."""

from model.program import Program, show_parameter
from model.schedulers.exhaustive import exhaustive_named
from model.schedulers.named import as_option
from workers.progress import Ending, Progress
from workers.shards import BlockRange, Disagreement


def disagreement_sentence(disagreement: Disagreement) -> str:
    """What a person is told of a hit that the interpreter does not confirm."""
    return (
        f"the two engines disagree about lane {disagreement.lane} of block "
        f"{disagreement.block}; this is a defect of gracefuzz, please report it\n"
        f"    {disagreement.detail}"
    )


def quarantine_sentence(
    program: Program, scheduler: str, blocks: BlockRange, *, root_seed: int
) -> str:
    """What a person is told of a range that is given up, and how to see why."""
    given = program.parameters
    options = "".join(f" --param {key}={show_parameter(value)}" for key, value in given)
    options += as_option(scheduler)
    return (
        f"{blocks} killed three workers and will not be tried again; the campaign "
        f"goes on without\n    to see why: gracefuzz fuzz {program.name}{options} "
        f"--seed {root_seed} --workers 0 --block {blocks.first}"
    )


def ending_sentence(ending: Ending, scheduler: str, progress: Progress) -> str:
    """Why a campaign has stopped; where all schedules were executed, what came of them.

    Ranges that were given up are named.
    """
    exhaustive = exhaustive_named(scheduler)
    sentence: str = ending.value
    if ending is Ending.ALL_SCHEDULES and exhaustive is not None:
        sentence = sentence.format(
            schedules=progress.schedules,
            preemptions="1 preemption" if exhaustive.c == 1 else f"{exhaustive.c} preemptions",
            verdict=f"{progress.violations:,} violate" if progress.violations else "clean",
        )
    if progress.quarantined:
        ranges = ", ".join(map(str, progress.quarantined))
        sentence += f"; in quarantine, because their workers died of them: {ranges}"
    return sentence
