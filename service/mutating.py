"""Mutants for a person to read, and for a script."""

import sys

from model.mutants import NOT_DERIVED, Kind
from model.mutation import Fate, Judged, Mutation
from service.reading import columns, pretty

PROGRESS_EVERY = 25


def show_progress(done: int, of: int) -> None:
    """Say on stderr how far it is: in one line of a terminal, else now and then."""
    if sys.stderr.isatty():
        print(f"\r{done:,} of {of:,} mutants", end="\n" if done == of else "", file=sys.stderr)
    elif 0 < done < of and done % PROGRESS_EVERY == 0:
        print(f"{done:,} of {of:,} mutants", file=sys.stderr)


def mutation_lines(found: Mutation) -> list[str]:
    """Each mutant, the kinds with their counts, the score, the survivors, what is never reached."""
    sites = found.program.sites
    rows = [(e.mutant.kind.value, _where(e), _outcome(e)) for e in found.judged]
    lines = [found.program.title, "", *columns([("KIND", "WHERE", "OUTCOME"), *rows]), ""]
    counts = [("KIND", *(fate.value for fate in Fate)), *(_counts(found, kind) for kind in Kind)]
    lines += columns(counts, right=frozenset(range(1, len(Fate) + 1)))
    lines += ["", f"mutation score  {_score(found)}", ""]
    if found.survivors:
        lines += ["survivors", *(f"  {e.mutant.kind.value}: {_where(e)}" for e in found.survivors)]
        lines += [""]
    lines += ["never reached, by any execution of the program itself"]
    lines += [f"  {sites[n].oracle}: {sites[n].sentence}" for n in found.unreached_sites]
    lines += [f"  step {s.label} ({s.function}, line {s.line})" for s in found.unreached_steps]
    if not found.unreached_sites and not found.unreached_steps:
        lines += ["  nothing: every step, assert and invariant is"]
    return [*lines, "", "not derived", *(f"  {sentence}" for sentence in NOT_DERIVED)]


def mutation_json(found: Mutation) -> str:
    """The same as an object."""
    sites = found.program.sites
    return pretty(
        {
            "program": found.program.name,
            "title": found.program.title,
            "ir_hash": found.program.hash,
            "states": found.original.states,
            "score": found.score,
            "counts": {fate.value: found.count(fate) for fate in Fate},
            "mutants": [
                {
                    "kind": each.mutant.kind.value,
                    "body": each.mutant.body,
                    "step": each.mutant.step,
                    "function": each.mutant.function,
                    "line": each.mutant.line,
                    "change": each.mutant.change,
                    "outcome": each.fate.value,
                    "violated": each.violated,
                    "states": each.states,
                }
                for each in found.judged
            ],
            "unreached_steps": [
                {"step": str(step.label), "function": step.function, "line": step.line}
                for step in found.unreached_steps
            ],
            "unreached_oracles": [
                {"oracle": sites[number].oracle.value, "sentence": sites[number].sentence}
                for number in found.unreached_sites
            ],
            "not_derived": NOT_DERIVED,
        }
    )


def _where(judged: Judged) -> str:
    mutant = judged.mutant
    inlined = "" if mutant.function == mutant.body else f"{mutant.function}, "
    return f"{mutant.step} ({inlined}line {mutant.line}): {mutant.change}"


def _outcome(judged: Judged) -> str:
    if judged.violated is not None:
        return f"{judged.fate}: {judged.violated}"
    bounded = judged.fate is Fate.BOUNDED
    return f"{judged.fate}, {judged.states:,} states" if bounded else judged.fate.value


def _counts(found: Mutation, kind: Kind) -> tuple[str, ...]:
    fates = [each.fate for each in found.judged if each.mutant.kind is kind]
    return (kind.value, *(f"{fates.count(fate):,}" for fate in Fate))


def _score(found: Mutation) -> str:
    if found.score is None:
        return "none: no mutant counts"
    caught = found.count(Fate.CAUGHT)
    return f"{found.score:.1%}, {caught:,} of {caught + len(found.survivors):,} caught"
