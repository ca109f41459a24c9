"""What the pending step of every thread touches, as lines over the state planes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from model.circuit.code_sets import CodeSets
from model.circuit.families import rename
from model.circuit.layout import Layout
from model.circuit.netlist import Netlist
from model.circuit.values import Scope, Values
from model.circuit.words import Word
from model.program import END, UNBORN
from model.schedulers.resources import Touch, places, resources
from model.schedulers.scheduler import PendingLines


def pending_lines(layout: Layout, net: Netlist, planes: Sequence[int]) -> list[PendingLines]:
    """The circuit form of `Resources.pending`, for every thread of a state given by its planes."""
    values = Values(layout, net, planes)
    return [_of_thread(layout, values, thread) for thread in range(len(layout.program.threads))]


def _of_thread(layout: Layout, values: Values, number: int) -> PendingLines:
    program, known, net = layout.program, resources(layout.program), values.net
    thread = program.threads[number]
    own = layout.bodies[thread.body]
    sets = CodeSets(net, values.pc_bits(number), own.codes.values())
    touching: dict[tuple[Touch, bool], list[int]] = defaultdict(list)
    writing = []
    for pc, step in enumerate(program.bodies[thread.body].steps):
        touched = known.touches(number, step)
        if touched:
            touching[touched[0], known.several(number, step)].append(own.codes[pc])
            if known.writes(number, step):
                writing.append(own.codes[pc])
    scope = Scope(
        values.words.constant(thread.instance),
        values.words.constant(number),
        values.locals_from(own.family, values.register_bits(number)),
    )
    names = layout.families[own.family].names[thread.body]

    def bit(which: int, q: int) -> int:
        """Bit q of the group (which = 0) or of the member (1)."""
        fixed: list[int] = []
        computed = []
        for (touch, several), codes in touching.items():
            ids = [
                known.number.get(place, (0, 0))[which] for place in places(program, number, touch)
            ]
            wanted = [at for at, each in enumerate(ids) if each >> q & 1]
            if len(wanted) == len(ids) or (several and wanted):
                fixed += codes
            elif wanted:
                index = values.word(rename(touch[1], names), scope, own.family)
                computed.append(net.and_(sets.line(codes), _looked_up(values, index, ids, q)))
        return net.any([sets.line(fixed), *computed])

    return PendingLines(
        [bit(0, q) for q in range(known.groups.bit_length())],
        [bit(1, q) for q in range(known.members.bit_length())],
        sets.line(writing),
        sets.line(codes for (_, several), some in touching.items() if several for codes in some),
        sets.line(own.codes[pc] for pc in (UNBORN,) if pc in own.codes),
        sets.line((own.codes[END],)),
    )


def _looked_up(values: Values, index: Word, numbers: Sequence[int], q: int) -> int:
    """Bit q of numbers[index]; false where the index lies outside."""
    words, first = values.words, numbers[0]
    if all(number == first + at for at, number in enumerate(numbers)):
        # Elements that are numbered in their order need no comparison with each.
        inside = values.net.and_(
            words.less(index, words.constant(0)) ^ 1,
            words.less(index, words.constant(len(numbers))),
        )
        return values.net.and_(inside, words.add(index, words.constant(first)).bit(q))
    return values.net.any(
        words.equal(index, words.constant(at))
        for at, number in enumerate(numbers)
        if number >> q & 1
    )
