"""Random small programs, as text: what the front end accepts, the engines execute alike.

A program is drawn statement by statement; every draw is valid text, and nearly every text compiles.
What a program may contain is drawn first (swarm testing: Groce et al., ISSTA 2012), since a program
with a little of everything ends too early to show much of anything.
"""

import linecache
from dataclasses import dataclass, field
from itertools import count

import hypothesis.strategies as st

from model.language import LanguageError
from model.program import Program

FEATURES = (
    "locks",
    "arrays",
    "named",
    "choices",
    "atomic",
    "ghosts",
    "waits",
    "rcu",
    "callbacks",
    "cookies",
    "children",
    "loops",
    "ranges",
    "assume",
    "asserts",
    "functions",
    "many",
    "shared",
)
HEADER = """\
from model.language import *

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(steps_max={steps_max})
def drawn(p):
    x = p.shared("x", uint(2{wrapping}), init={x})
    y = p.shared("y", uint(3), init={y})
    flag = p.shared("flag", boolean, init={flag})
    cells = p.array("cells", {cells}, uint(2{wrapping}), init=1)
    slot = p.shared("slot", pages, init={slot})
    held = p.array("held", pages, uint(2), init={{TAIL: 1}})
    lock = p.spinlock("lock")
    sleeping = p.mutex("sleeping", two_step_unlock={two_step})
    ledger = p.ghost("ledger", uint(3, wrapping=True))
    seen = p.ghost_array("seen", 3, uint(2, wrapping=True))
"""
_number = count()


def compiled(text: str) -> Program:
    """The program `drawn` of a text, whose lines the front end finds in linecache."""
    file = f"<drawn {next(_number)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, object] = {"__name__": "drawn"}
    exec(compile(text, file, "exec"), namespace)
    return namespace["drawn"].compile()  # type: ignore[attr-defined]


@dataclass
class Writer:
    """Draws the text of one program. Every body has the locals a, b, c and q."""

    draw: st.DrawFn
    has: frozenset[str]
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    indent: int = 2
    readers: int = 0
    locked_names: frozenset[str] = frozenset()
    cells: int = 3
    may_return: bool = True
    instances: int = 1
    child: bool = False

    def pick(self, *options):
        return self.draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    # -- expressions -------------------------------------------------------------------------------

    def local(self) -> str:
        return self.pick("a", "b", "c")

    def value(self, top: int = 3) -> str:
        """An integer of locals. Its range is 0 to `top`, unless ranges may be left."""
        plain = [str(self.number(0, top)), f"({self.local()} & {top})", f"({self.condition()})"]
        if self.instances > 1 and top >= self.instances - 1:
            plain.append("ME")
        local, other = self.local(), self.local()
        plain += [
            f"({local} + {other} * {self.number(1, 3)} & {top})",
            f"({local} - {other} & {top})",
            f"(({local} ^ {other} | 1) >> 1 & {top})",
            f"((({local} - {self.number(1, 7)}) >> 1) & {top})",
            f"(({local} if {self.condition()} else {other}) & {top})",
            f"((~{local}) & {top})",
            f"(({local} - {other}) * -{self.number(1, 3)} & {top})",
        ]
        if "ranges" in self.has:
            plain += [f"{local} + 1", f"{local} - {other} + 1", f"{local} * 2", local]
        return self.pick(*plain)

    def condition(self) -> str:
        local, other = self.local(), self.local()
        return self.pick(
            f"{local} == {other}",
            f"{local} < {self.number(1, 3)}",
            f"{local} != {self.number(0, 3)}",
            f"{local} - {other} <= {self.number(-2, 2)}",
            f"{local} - 2 > -{other}",
            f"not {local} & 1",
            f"{local} > 1 and {other} != 2",
            f"{local} == 0 or {other} >= 2",
        )

    def index(self) -> str:
        """An index of `cells`: sometimes one that is out of bounds on some path."""
        local = self.local()
        plain = [f"({local} & 1)", f"({self.condition()})", str(self.number(0, self.cells - 1))]
        if self.instances in (2, self.cells):
            plain.append("ME")
        if "ranges" in self.has:
            plain += [local, f"{local} - 1"]
        elif self.cells >= 4:
            plain.append(f"({local} & 3)")
        return self.pick(*plain)

    def place(self) -> str:
        """A shared integer of at least two bits."""
        places = ["x", "x", "y"]
        if "arrays" in self.has:
            places += [f"cells[{self.index()}]"] * 3
        if "named" in self.has:
            places += ["held[TAIL]", "held[q]"] if "ranges" in self.has else ["held[TAIL]"]
        return self.pick(*places)

    # -- statements --------------------------------------------------------------------------------

    def block(self, budget: int) -> None:
        before = len(self.lines)
        for _ in range(self.number(min(2, budget), budget)):
            self.statement(budget)
        if len(self.lines) == before:
            self.line("pass")

    def statement(self, budget: int) -> None:
        kinds = ["read", "read", "write", "modify", "modify", "branch", "compute"]
        kinds += ["choice"] * 2 * ("choices" in self.has) + ["ghost"] * ("ghosts" in self.has)
        kinds += ["atomic"] * 2 * ("atomic" in self.has) + ["wait"] * ("waits" in self.has)
        kinds += ["locked"] * 2 * ("locks" in self.has) + ["loop"] * ("loops" in self.has)
        kinds += ["named"] * 2 * ("named" in self.has) + ["assume"] * ("assume" in self.has)
        kinds += ["assertion"] * ("asserts" in self.has) + ["reader"] * 2 * ("rcu" in self.has)
        kinds += ["grace"] * ("rcu" in self.has) + ["callback"] * ("callbacks" in self.has)
        kinds += ["cookie"] * ("cookies" in self.has) + ["call"] * ("functions" in self.has)
        kinds += ["call_shared"] * 3 * ("shared" in self.has)
        kinds += ["birth"] * 2 * ("children" in self.has and not self.child)
        kind = self.pick(*kinds)
        if kind in ("branch", "locked", "loop", "reader") and self.depth >= 3:
            kind = "read"
        getattr(self, kind)(budget)

    def nested(self, head: str, budget: int) -> None:
        self.line(head)
        self.indent, self.depth = self.indent + 1, self.depth + 1
        self.block(max(1, budget - 1))
        self.indent, self.depth = self.indent - 1, self.depth - 1

    def read(self, budget: int) -> None:
        word = self.pick("READ_ONCE", "smp_load_acquire", "atomic_read")
        self.line(f"{self.local()} = {word}({self.place()})")

    def write(self, budget: int) -> None:
        word = self.pick("WRITE_ONCE", "smp_store_release", "atomic_set")
        self.line(f"{word}({self.place()}, {self.value()})")

    def compute(self, budget: int) -> None:
        self.line(f"{self.local()} = {self.value()}")

    def modify(self, budget: int) -> None:
        place = self.place()
        self.line(
            self.pick(
                f"atomic_inc({place})",
                f"atomic_dec({place})",
                f"{self.local()} = xchg({place}, {self.value()})",
                f"{self.local()} = cmpxchg({place}, {self.value()}, {self.value()})",
                f"{self.local()} = atomic_fetch_or({self.value(3)}, {place})",
                f"{self.local()} = atomic_inc_not_zero({place})",
                f"{self.local()} = atomic_add_unless({place}, 1, 3)",
                f"{self.local()} = atomic_dec_and_test({place})",
                f"atomic_xor({self.value(3)}, {place})",
                f"{self.local()} = atomic_fetch_add({self.value(1)}, {place}) & 3",
                f"set_bit({self.number(0, 1)}, {place})",
                f"{self.local()} = test_and_clear_bit({self.number(0, 1)}, {place})",
            )
        )

    def branch(self, budget: int) -> None:
        test = self.pick(
            self.condition(),
            self.condition(),
            f"READ_ONCE({self.place()}) != 0",
            f"{self.condition()} and READ_ONCE(flag)",
            f"test_bit(0, {self.place()})",
        )
        self.nested(f"if {test}:", budget)
        if self.number(0, 1):
            self.nested("else:", budget)
        elif (
            self.may_return and not self.locked_names and not self.readers and not self.number(0, 5)
        ):
            self.line(f"if {self.condition()}:")
            self.line("    return")

    def choice(self, budget: int) -> None:
        for _ in range(self.number(1, 2)):
            offered = self.pick(
                (0, 1), (0, 1, 2), (3, 0, 1), (0, 1, 2, 3), (2,), (1, 0, 0), (0, 1, 2, 3, 2)
            )
            self.line(f"{self.local()} = choose({', '.join(map(str, offered))})")
            if self.number(0, 2) == 0:
                self.line(f"if {self.condition()}:")
                self.line(f"    {self.local()} = choose(1, 2, 3)")

    def atomic(self, budget: int) -> None:
        self.line(f'with atomic("at once {len(self.lines)}"):')
        self.indent += 1
        if self.number(0, 3) == 0:
            self.line(
                self.pick(
                    "wait_event(x != 1, may_end_here=True)",
                    f"spin_until(cells[{self.number(0, 1)}] < 3)",
                )
            )
        for _ in range(self.number(1, 4)):
            place, local = self.place(), self.local()
            kind = self.number(0, 6)
            if kind == 0:
                self.line(f"{local} = {place} & 3")
            elif kind == 1:
                self.line(f"if {place} {self.pick('==', '<', '>')} {self.number(0, 2)}:")
                self.line(f"    {self.place()} = {self.value()}")
                if self.number(0, 1):
                    self.line("else:")
                    self.line(f"    {self.place()} = {self.value()}")
            elif kind == 2:
                self.line(f"{place} = {self.place()} + {self.value(1)} & 3")
            elif kind == 3:
                self.line("for i in range(2):")
                self.line(
                    f"    cells[i] = cells[1 - i] {self.pick('+', '^', '-')} {self.value(1)} & 3"
                )
            elif kind == 4:
                self.line(f"cells[{self.index()}] = {self.value()}")
                self.line(f"cells[{self.index()}] = {self.value()}")
                self.line(f"{local} = cells[{self.index()}] & 3")
            else:
                self.line(f"{place} = {self.value()}")
        self.indent -= 1

    def ghost(self, budget: int) -> None:
        self.line(
            self.pick(
                f"ledger += {self.value(1)}",
                "ledger -= 1",
                f"seen[{self.pick('a & 1', 'b & 1', '2')}] = {self.value()}",
                "ledger = ledger + seen[0] * 2",
                "seen[1] += x == 1",
                "ledger = x - y",
            )
        )

    def wait(self, budget: int) -> None:
        word, ends = (
            self.pick("spin_until", "wait_event"),
            self.pick("", ", may_end_here=True", ", may_end_here=True"),
        )
        test = self.pick(
            f"READ_ONCE(x) != {self.number(0, 3)}",
            f"READ_ONCE({self.place()}) < 2",
            "READ_ONCE(flag) == 1",
            f"READ_ONCE(cells[0]) == {self.local()}",
        )
        self.line(f"{word}({test}{ends})")

    def locked(self, budget: int) -> None:
        name, kind = self.pick(("lock", "spin"), ("sleeping", "mutex"))
        if name in self.locked_names:
            return self.read(budget)
        way = self.number(0, 9)
        if way == 0:
            return self.line(f"{kind}_unlock({name})")
        if way == 1:
            return self.nested(f"if {kind}_trylock({name}):", budget)
        self.line(f"{kind}_lock({name})")
        outer = self.locked_names
        self.locked_names = outer | {name}
        self.depth += 1
        self.block(max(1, budget - 1))
        self.depth -= 1
        self.locked_names = outer
        self.line(f"{kind}_unlock({name})")

    def loop(self, budget: int) -> None:
        kind = self.number(0, 2)
        if kind == 0:
            return self.nested(f"for i{len(self.lines)} in range({self.number(1, 3)}):", budget)
        if kind == 1:
            self.line(
                f"while READ_ONCE({self.place()}) {self.pick('!=', '==', '<')} {self.number(0, 2)}:"
            )
            self.indent += 1
            self.line("cpu_relax()")
            if self.number(0, 1):
                self.line(f"if {self.condition()}:")
                self.line("    break")
                self.modify(budget)
            self.indent -= 1
            return None
        self.line(f"while {self.condition()}:")
        self.indent += 1
        self.line(f"a = atomic_fetch_add({self.value(1)}, x) & 3")
        self.line(f"b = {self.value()}")
        self.line("cpu_relax()")
        self.indent -= 1
        return None

    def named(self, budget: int) -> None:
        self.line(
            self.pick(
                "q = READ_ONCE(slot)",
                "q = choose(HEAD, TAIL, NONE)",
                "WRITE_ONCE(slot, NONE)",
                "WRITE_ONCE(slot, q)",
                "q = xchg(slot, TAIL)",
                "atomic_inc(held[q])",
                "a = READ_ONCE(held[q])",
                "q = TAIL if a == 1 else q",
                "q = cmpxchg(slot, q, NONE)",
                "assert held[q] != 2, 'two holders'",
            )
        )

    def assume(self, budget: int) -> None:
        self.line(f"assume({self.pick(self.condition(), f'READ_ONCE({self.place()}) != 2')})")

    def assertion(self, budget: int) -> None:
        test = self.pick(
            f"{self.place()} != {self.number(0, 3)}",
            "x + y != 5",
            self.condition(),
            f"cells[{self.index()}] <= a + b",
            "ledger != 3",
        )
        self.line(f'assert {test}, "oracle {len(self.lines) % 4}"')

    def reader(self, budget: int) -> None:
        if self.number(0, 11) == 0:
            return self.line("rcu_read_unlock()")
        self.line("rcu_read_lock()")
        self.readers, self.depth = self.readers + 1, self.depth + 1
        self.block(max(1, budget - 1))
        self.readers, self.depth = self.readers - 1, self.depth - 1
        return self.line("rcu_read_unlock()")

    def grace(self, budget: int) -> None:
        if self.readers and self.number(0, 3):
            return self.read(budget)
        return self.line("synchronize_rcu()")

    def callback(self, budget: int) -> None:
        self.line(self.pick("call_rcu(let_go, a & 1)", "call_rcu(let_go, 1)", "call_rcu(mark, 0)"))
        if self.number(0, 3) == 0 and not self.readers:
            self.line("rcu_barrier()")

    def cookie(self, budget: int) -> None:
        self.line(
            "k = get_state_synchronize_rcu()"
            if self.number(0, 1)
            else "k = start_poll_synchronize_rcu()"
        )
        for _ in range(self.number(0, 2)):
            self.statement(1)
        kind = self.number(0, 2)
        if kind == 0 and not self.readers:
            self.line("cond_synchronize_rcu(k)")
        else:
            self.line("if poll_state_synchronize_rcu(k):")
            self.line(f"    WRITE_ONCE(x, {self.value()})")

    def call(self, budget: int) -> None:
        self.line(self.pick("a = fetch(b & 1)", "b = fetch(a & 1)", "twice(a & 1)"))

    def call_shared(self, budget: int) -> None:
        self.line(
            self.pick(
                "a = long_way(b & 1)",
                "b = long_way(a & 1)",
                "c = long_way(1)",
                "around(a & 1)",
                "around(0)",
            )
        )

    def birth(self, budget: int) -> None:
        self.line("spawn(born)")


FUNCTIONS = """
    def let_go(which):
        WRITE_ONCE(cells[which], 2)

    def mark(which):
        WRITE_ONCE(flag, which)

    def fetch(at):
        r = READ_ONCE(cells[at])
        if r == 2:
            return 1
        atomic_xor(1, cells[at])
        return r

    def twice(at):
        for turn in range(2):
            WRITE_ONCE(cells[turn], at)

    @noinline
    def long_way(at):
        spin_lock(lock)
        r = READ_ONCE(cells[at])
        if r == 2:
            spin_unlock(lock)
            return 3
        s = xchg(cells[1 - at], r)
        atomic_xor(1, cells[at])
        spin_unlock(lock)
        u = READ_ONCE(x)
        if u != s:
            WRITE_ONCE(flag, at)
            u = xchg(y, u)
        return u & 3

    @noinline
    def around(at):
        for turn in range(2):
            t = fetch(turn)
            if t == at:
                WRITE_ONCE(cells[turn], at)
                return
            twice(at)
        WRITE_ONCE(x, at)
"""


def _body(
    writer: Writer, name: str, decorator: str, *, instances: int, child: bool, budget: int
) -> None:
    writer.indent, writer.depth, writer.readers, writer.locked_names = 1, 1, 0, frozenset()
    writer.instances, writer.child = instances, child
    writer.line("")
    writer.line(decorator)
    writer.line(f"def {name}():")
    writer.indent = 2
    for local in "abc":
        start = writer.number(0, 3)
        width = writer.pick(2, 2, 3) if "ranges" in writer.has else 3
        writer.line(f"{local}: uint({width}) = {start}")
    writer.line(f"q: pages = {writer.pick('HEAD', 'TAIL', 'NONE')}")
    if instances > 1 and writer.number(0, 2) == 0:
        writer.line("if ME == 0:")
        writer.line(f"    WRITE_ONCE(y, {writer.value()})")
        writer.line("    return")
    writer.block(budget)


def _oracles(writer: Writer) -> None:
    writer.indent = 1
    if "asserts" in writer.has and writer.number(0, 1):
        for line in (
            "",
            "@p.invariant",
            "def always():",
            '    assert x + cells[0] != 5, "broken state"',
        ):
            writer.line(line)
        writer.line(f'    assert ledger != {writer.number(3, 7)} or y == 0, "broken ledger"')
    if "asserts" in writer.has and writer.number(0, 1):
        for line in (
            "",
            "@p.at_end",
            "def finally_():",
            '    assert x != 2 or flag == 1, "broken end"',
        ):
            writer.line(line)


@st.composite
def texts(draw: st.DrawFn, *, tiny: bool = False) -> str:
    """The text of a program. A tiny one has few enough interleavings to enumerate them all."""
    has = frozenset(
        draw(
            st.lists(st.sampled_from(FEATURES), min_size=1, max_size=3 if tiny else 7, unique=True)
        )
    )
    if tiny:
        has -= {"rcu", "callbacks", "cookies", "loops", "many", "children", "shared"}
    elif has & {"callbacks", "cookies"}:
        has |= {"rcu"}
    writer = Writer(draw, has)
    writer.cells = writer.number(2, 4)
    head = HEADER.format(
        steps_max=60 if tiny else writer.pick(60, 60, 14, 9, 7),
        wrapping=writer.pick("", ", wrapping=True"),
        x=writer.number(0, 3),
        y=writer.number(0, 7),
        flag=writer.number(0, 1),
        cells=writer.cells,
        slot=writer.pick("HEAD", "TAIL", "NONE"),
        two_step=writer.pick("False", "True"),
    )
    if "children" in has:
        instances = writer.number(1, 2)
        _body(
            writer,
            "born",
            f"@p.thread(child=True, instances={instances})",
            instances=instances,
            child=True,
            budget=2,
        )
    bodies = writer.number(1 + ("shared" in has), 2) + (not tiny) * ("many" in has)
    for number in range(bodies):
        most = 2 if tiny else 4 if "many" in has and number == 0 else 2
        instances = writer.number(2 if bodies == 1 else 1, most)
        start = len(writer.lines)
        _body(
            writer,
            f"body{number}",
            f"@p.thread(instances={instances})",
            instances=instances,
            child=False,
            budget=2 if tiny else 5 if instances < 3 else 4,
        )
        assert len(writer.lines) > start
    _oracles(writer)
    if "rcu" in has:
        writer.indent = 1
        slots = writer.number(1, 2) if "callbacks" in has else 0
        extra = f", callbacks={slots}, argument=uint(1)" if slots else ""
        writer.line(f"p.rcu(grace_periods_max={writer.number(0, 2)}{extra})")
    text = head + FUNCTIONS + "\n".join(writer.lines) + "\n"
    if "instances=2)\n    def born" in text:
        text = text.replace("spawn(born)", f"spawn(born, {writer.number(0, 1)})")
    return text


@dataclass(frozen=True)
class Drawn:
    """A program with its text, as which Hypothesis shows it."""

    text: str
    program: Program

    def __repr__(self) -> str:
        return f"\n{self.text}"


@st.composite
def programs(draw: st.DrawFn, *, tiny: bool = False) -> Drawn:
    """A program; a text that the front end refuses is drawn again."""
    while True:
        text = draw(texts(tiny=tiny))
        try:
            return Drawn(text, compiled(text))
        except LanguageError:
            continue
