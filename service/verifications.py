"""What a verification has explored, for a person to read and for a script."""

from service.reading import columns
from storage.verifications import StoredVerification


def verification_lines(told: StoredVerification) -> list[str]:
    """How far it has come, what came of it, and which oracles are violated."""
    figures, plan = told.figures, told.plan
    verdict = "none yet" if told.verdict is None else told.verdict.value
    part = "" if figures.exhausted else f", {figures.frontier:,} of them not stepped"
    rows = [(f"  {name}", f"{steps:,}") for name, steps in sorted(figures.sites.items())]
    return [
        f"verdict     {verdict}" + ("" if figures.exhausted else "; not every state was seen"),
        "",
        f"states      {figures.states:,}{part}",
        f"transitions {figures.transitions:,}",
        f"depth       {figures.depth:,} layers",
        f"reduction   {'symmetric states are one' if figures.reduced else 'none'}"
        + ("; a few bits a state" if plan.bitstate else ""),
        f"memory      {figures.used_bytes:,} bytes of {plan.memory_bytes:,}",
        f"checkpoint  {'none' if told.checkpoint is None else told.checkpoint.file}",
        "",
        "steps of the shortest violation by oracle",
        *(columns(rows, right=frozenset({1})) or ["  none"]),
    ]


def verification_object(told: StoredVerification) -> dict[str, object]:
    """The same as an object; counts are text."""
    figures, checkpoint = told.figures, told.checkpoint
    return {
        "verdict": None if told.verdict is None else told.verdict.value,
        "states": str(figures.states),
        "transitions": str(figures.transitions),
        "frontier": str(figures.frontier),
        "depth": figures.depth,
        "exhausted": figures.exhausted,
        "reduced": figures.reduced,
        "discarded": figures.discarded,
        "symmetry": told.plan.symmetry,
        "bitstate": told.plan.bitstate,
        "memory_bytes": str(told.plan.memory_bytes),
        "used_bytes": str(figures.used_bytes),
        "sites": dict(sorted(figures.sites.items())),
        "checkpoint": None if checkpoint is None else checkpoint.file,
    }
