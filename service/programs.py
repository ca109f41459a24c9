"""Programs for a person to read, and for a script."""

from model.language import ProgramSource
from model.program import Program, Step, show_parameter
from service.reading import columns, pretty
from storage.sources import library, text_of


def library_lines() -> list[str]:
    """Name, sentence and parameters of each program."""
    rows = [(name, source.sentence) for name, source in sorted(library().items())]
    return columns(rows)


def library_json() -> str:
    """The same as a list."""
    return pretty(library_objects())


def library_objects() -> list[dict[str, object]]:
    """Each program with its parameters."""
    return [
        {"program": name, "sentence": source.sentence, "parameters": _parameters(source)}
        for name, source in sorted(library().items())
    ]


def program_lines(source: ProgramSource, program: Program) -> list[str]:
    """All there is to know of a program, its source last."""
    lines = [program.title, f"  {source.sentence}", ""]
    lines += [f"ir hash     {program.hash}", f"step limit  {program.steps_max:,} steps", ""]
    chosen = dict(program.parameters)
    rows = [
        (f"  {name}", show_parameter(chosen[name]), f"({parameter.values})")
        for name, parameter in source.parameters.items()
    ]
    lines += ["parameters", *(columns(rows) or ["  none"]), ""]
    for index, body in enumerate(program.bodies):
        names = [thread.name for thread in program.threads if thread.body == index]
        lines += [f"{body.name}: {len(body.steps)} steps; threads {', '.join(names)}"]
        lines += columns([(f"  {n}", _text(s), _where(s)) for n, s in enumerate(body.steps, 1)])
        lines += [""]
    lines += ["oracles"]
    lines += columns([(f"  {site.oracle}", site.sentence) for site in program.sites])
    return [*lines, "", f"source ({source.file})", "", text_of(source).rstrip()]


def program_json(source: ProgramSource, program: Program) -> str:
    """The same as an object."""
    return pretty(program_object(source, program))


def program_object(source: ProgramSource, program: Program) -> dict[str, object]:
    """A compiled program."""
    return {
        "program": program.name,
        "title": program.title,
        "sentence": source.sentence,
        "ir_hash": program.hash,
        "steps_max": program.steps_max,
        "parameters": _parameters(source, dict(program.parameters)),
        "threads": [
            {
                "thread": thread.name,
                "body": program.bodies[thread.body].name,
                "daemon": thread.daemon,
                "child": thread.child,
            }
            for thread in program.threads
        ],
        "bodies": [
            {
                "body": body.name,
                "steps": [
                    {"step": str(step.label), "line": step.line, "function": step.function}
                    for step in body.steps
                ],
            }
            for body in program.bodies
        ],
        "oracles": [
            {"oracle": site.oracle.value, "sentence": site.sentence} for site in program.sites
        ],
        "source": text_of(source),
    }


def _parameters(
    source: ProgramSource, chosen: dict[str, int | str] | None = None
) -> list[dict[str, object]]:
    return [
        {
            "parameter": name,
            "default": parameter.default,
            "value": parameter.default if chosen is None else chosen[name],
            "values": parameter.values,
        }
        for name, parameter in source.parameters.items()
    ]


def _text(step: Step) -> str:
    return step.label.text + (f" #{step.label.ordinal + 1}" if step.label.ordinal else "")


def _where(step: Step) -> str:
    inlined = "" if step.function == step.label.body else f"{step.function}, "
    return f"({inlined}line {step.line})"
