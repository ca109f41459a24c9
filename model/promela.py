"""A program as a Promela model, for a second opinion by Spin (https://spinroot.com).

Each thread is a process, each step one indivisible transition: an `if` over `d_step` sequences, one
for each way through the step (see `paths`). A process stands before its step; where it has ended it
waits for ever, since a process that dies would be a transition of its own. A child exists from the
start, and its `provided` clause says that it has been started: what it does before its first step
depends on constants only. Locals that nobody reads any more are set to 0, and those that never live
from one step to the next are `hidden`, so that equal states look equal.

What executions end in is said by one more process, `judge`, whose transitions lead from a state to
itself. A step that breaks an oracle, or whose assume() does not hold, sets `outcome`, after which
no thread can go on. `busy` counts the threads that keep the execution from ending, `parked` those
that wait where waiting for ever is a fine end; both follow from where the processes stand.

So Spin's states are those of `explore` and, beside them, the states in which executions end, which
`explore` does not count. Compiled with EVERY_END defined, the judge reports exactly one error in
each of these, be it a violation, a deadlock, a discarded execution or an end where all is well: in
a full search that goes on after errors (`pan -c0`), states stored minus errors is the number of
`explore`. pan must be compiled with -DNOREDUCE, and Spin's own merging of statements and of dead
variables is off (`spin -o2 -o3`). There is no init process; the initial state counts in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from model.expressions import Const, Expr, ThreadIndex, binary
from model.interpreter import Machine
from model.program import DEADLOCK_SITE, Check, Program, SharedVariable
from model.promela_steps import Model, StepWriter
from model.promela_text import CannotExport, Expressions, Names, bare, comment, declaration, quoted

THREADS_MAX = 250
SITES_MAX = 250

__all__ = ["CannotExport", "promela"]


def promela(program: Program) -> str:
    """The text of the model. Raises CannotExport where it is beyond Promela's integers or limits.

    A step takes one transition for each leaf of its operations and combination of its choices.
    """
    if len(program.threads) > THREADS_MAX or len(program.sites) > SITES_MAX:
        raise CannotExport(
            f"{len(program.threads)} threads and {len(program.sites)} oracles: "
            f"Spin holds at most {THREADS_MAX} of each\n    use smaller parameters"
        )
    if Machine(program).has_ended():
        raise CannotExport("the execution has ended before its first step\n    give it a step")
    names = Names()
    entered = Machine(
        replace(program, threads=tuple(replace(t, child=False) for t in program.threads))
    )
    model = _model(program, names, tuple(entered.pcs))
    write = Expressions(program, None, model.variables, {})
    text = [*_head(program), *_outcomes(model), *_state(model), *_conditions(model, write)]
    alike = [(names.give(program.body_of(each[0]).name), each) for each in _alike(model)]
    for name, threads in alike:
        text += _process(model, name, threads, names, entered)
    return "\n".join([*text, *_judge(model, write)]) + "\n"


def _model(program: Program, names: Names, first: tuple[int, ...]) -> Model:
    words = """outcome verdict busy parked born judge say finish ok discarded ENDED SETTLED"""
    return Model(
        program,
        variables={v.name: names.give(v.name) for v in program.variables},
        sites=tuple(
            names.give("deadlock" if number == DEADLOCK_SITE else f"{site.oracle}_{number}")
            for number, site in enumerate(program.sites)
        ),
        always=tuple(names.give(f"ALWAYS_{n}") for n, _ in enumerate(program.invariants, 1)),
        first=first,
        words={word: names.give(word) for word in words.split()},
    )


def _head(program: Program) -> list[str]:
    return [
        f"/* {comment(program.title)}",
        "",
        "   spin -a FILE && gcc -O3 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m1000000",
        "",
        "   An error is a violation; `./pan -r` then shows the steps that lead there. With `spin",
        "   -DEVERY_END -o2 -o3 -a` and `./pan -c0`, states stored minus errors is the number of",
        "   states from which executions go on. */",
        "",
    ]


def _outcomes(model: Model) -> list[str]:
    """What an execution can end in: 1 + the number of an oracle site, or what lies behind them."""
    words, sites = model.words, model.program.sites
    rows = [(n, f"{s.oracle}: {s.sentence}") for n, s in zip(model.sites, sites, strict=True)]
    rows += [(words["discarded"], "an assume() does not hold"), (words["ok"], "the end")]
    lines = [
        f"#define {name} {number}\t/* {comment(sentence)} */"
        for number, (name, sentence) in enumerate(rows, 1)
    ]
    outcome = f"byte {words['outcome']};\t/* 0: the execution goes on */"
    return [*lines, outcome, f"hidden byte {words['verdict']};", ""]


def _state(model: Model) -> list[str]:
    """Variables, and how many threads are busy, parked, born."""
    program, words = model.program, model.words
    lines = [_variable(model.variables[v.name], v) for v in program.variables]
    counted = [
        model.counter(thread, pc)
        for thread, pc in zip(program.threads, model.first, strict=True)
        if not thread.child
    ]
    for word in ("busy", "parked"):
        lines.append(f"byte {words[word]} = {counted.count(words[word])};")
    children = sum(thread.child for thread in program.threads)
    return [*lines, *([f"bool {words['born']}[{children}];"] if children else []), ""]


def _variable(name: str, variable: SharedVariable) -> str:
    """The declaration of a shared or ghost variable."""
    kind, values = variable.type, variable.init
    given = str(values[0])
    if variable.length is not None:
        given = f"{{ {', '.join(map(str, values))} }}"
    said = ["ghost"] * variable.ghost + [f"wraps at {1 << kind.width}"] * kind.wrapping
    said += [", ".join(f"{n} {value}" for n, value in enumerate(kind.names))] * bool(kind.names)
    note = f"\t/* {comment('; '.join(said))} */" if said else ""
    return f"{declaration(name, kind, length=variable.length)} = {given};{note}"


def _conditions(model: Model, write: Expressions) -> list[str]:
    """The invariants, and when an execution has ended: at once, or where nothing else can be."""
    lines = []
    for name, op in zip(model.always, model.program.invariants, strict=True):
        assert isinstance(op, Check)
        lines.append(f"#define {name} ({bare(write.text(op.test))})")
    until = [write.text(condition, checked=False) for condition in model.program.until]
    settled = " && ".join([f"{model.words['busy']} == 0", *until])
    lines.append(f"#define {model.words['SETTLED']} ({settled})")
    ended = f"({model.words['SETTLED']} && {model.words['parked']} == 0)"
    return [*lines, f"#define {model.words['ENDED']} {ended}", ""]


def _alike(model: Model) -> Iterator[range]:
    """Threads next to each other that execute one body from the same step on."""
    threads, begin = model.program.threads, 0
    for t in range(1, len(threads) + 1):
        if t < len(threads) and model.first[t] == model.first[t - 1]:
            before, this = threads[t - 1], threads[t]
            if this == replace(before, name=this.name, instance=before.instance + 1):
                continue
        yield range(begin, t)
        begin = t


def _process(model: Model, name: str, threads: range, names: Names, entered: Machine) -> list[str]:
    """The process of some threads, whose number is the thread's: declaration, locals, steps."""
    program, words = model.program, model.words
    thread = program.threads[threads[0]]
    body, live = program.bodies[thread.body], program.live[thread.body]
    lasting, inside = frozenset[str]().union(*live.values()), names.fork()
    locals_ = {
        local: inside.give(local) if local in lasting else names.give(f"{name}.{local}")
        for local, _ in body.locals
    }
    write = Expressions(program, body, model.variables, locals_)
    ahead = threads[0] - thread.instance
    numbers: tuple[Expr, Expr] = Const(threads[0]), Const(thread.instance)
    if len(threads) > 1:
        numbers = ThreadIndex(), binary("-", ThreadIndex(), Const(ahead))
    writer = StepWriter(model, write, thread, numbers, inside)
    steps = list(writer.lines(model.first[threads[0]]))
    declared = [
        f"\t{declaration(locals_[local], kind)}{_initial(entered, threads, local)};"
        for local, kind in body.locals
        if local in lasting
    ]
    hidden = [
        f"{declaration(locals_[local], kind, hidden=True)};"
        for local, kind in body.locals
        if local in writer.scratch
    ]
    goes_on = f"{words['outcome']} == 0" + f" && !{words['ENDED']}" * thread.daemon
    if thread.child:
        child = write.text(binary("-", numbers[0], Const(threads[0] - model.born(threads[0]))))
        goes_on += f" && {words['born']}[{bare(child)}]"
    count = f" [{len(threads)}]" if len(threads) > 1 else ""
    head = f"active{count} proctype {name}() provided ({goes_on})"
    return [*hidden, head, "{", *declared, *steps, "}", ""]


def _initial(entered: Machine, threads: range, local: str) -> str:
    """The value of a local before the first step of each of the threads."""
    values = {t: entered.locals[t].get(local, 0) for t in threads}
    if len(set(values.values())) == 1:
        return f" = {values[threads[0]]}" if values[threads[0]] else ""
    text = str(values[threads[-1]])
    for t in reversed(threads[:-1]):
        text = f"(_pid == {t} -> {values[t]} : {text})"
    return f" = {text}"


def _judge(model: Model, write: Expressions) -> list[str]:
    """The process that says what an execution has ended in, and what it does so with."""
    words = model.words
    verdict, outcome, ok = words["verdict"], words["outcome"], words["ok"]
    checks = []
    for op in model.program.at_end:
        assert isinstance(op, Check)
        broken = f"{verdict} == {ok} && !({bare(write.text(op.test))})"
        checks.append(f"\tif :: {broken} -> {verdict} = {model.sites[op.site]} :: else fi;")
    said = []
    for name, site in zip(model.sites, model.program.sites, strict=True):
        sentence = quoted(f"{site.oracle}: {site.sentence}")
        said.append(f"\t:: {verdict} == {name} -> printf({sentence}); assert({verdict} != {name})")
    return [
        f"inline {words['finish']}() {{",
        f"\t{verdict} = {ok};",
        *checks,
        "}",
        f"inline {words['say']}() {{",
        "\tif",
        *said,
        "#ifdef EVERY_END",
        f"\t:: {verdict} == {ok} -> assert({verdict} != {ok})",
        f"\t:: {verdict} == {words['discarded']} -> assert({verdict} != {words['discarded']})",
        "#endif",
        "\t:: else",
        "\tfi",
        "}",
        f"active proctype {words['judge']}()",
        "{",
        "\tdo",
        f"\t:: d_step {{ {outcome} != 0 -> {verdict} = {outcome}; {words['say']}() }}",
        f"\t:: d_step {{ {outcome} == 0 && {words['ENDED']} -> {words['finish']}();"
        f" {words['say']}() }}",
        f"\t:: atomic {{ timeout && {outcome} == 0 && !{words['ENDED']} ->",
        "\t\td_step {",
        f"\t\t\tif :: {words['SETTLED']} -> {words['finish']}()"
        f" :: else -> {verdict} = {model.sites[DEADLOCK_SITE]} fi;",
        f"\t\t\t{words['say']}()",
        "\t\t} }",
        "\tod",
        "}",
    ]
