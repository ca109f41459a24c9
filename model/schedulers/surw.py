"""SURW, selectively uniform (Zhao et al., ASPLOS 2025): every order of the interesting steps alike.

Each execution has one interesting place, drawn with probability proportional to how often the walks
of `profile` touch it (in shares of 1/64). A thread's weight is the number of steps in which it is
expected to touch that place. One thread is intended to touch it next, drawn with probability
proportional to the weights of those that have not ended; the others stop before they would. When it
has, its weight is one less, and the next is drawn. Where the numbers are exact, all orders of the
interesting steps are equally likely, however many other steps there are.

Variants, where the paper leaves room or implementations differ:
- Among those that may step, each is as likely as the others (Fray); the paper's library gives each
  pending step a random priority.
- A thread not yet born can be intended, and then its parent may touch the place in its stead, or
  where that is not born either, the parent of that.
  That is what giving the child's share to the parent until it is born comes to.
- Where nobody may step, another thread is intended: one of the enabled ones, and there a weight of
  0 counts as 1, since the profile has been wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.circuit.netlist import FALSE
from model.program import Program
from model.schedulers import numbers
from model.schedulers.interest import SHARE_BITS, Interest, interest
from model.schedulers.profile import children
from model.schedulers.resources import resources
from model.schedulers.scheduler import Before, Choice, PendingLines, RandomBit, Stepped, Turn
from model.schedulers.uniform_walk import chosen_uniformly, uniform_choice
from model.schedulers.weighted import weighted, weighted_choice

Word = list[int]


@dataclass(frozen=True, slots=True)
class Surw:
    """The scheduler."""

    def prepared(self, program: Program) -> Surw:
        """The profile is looked up where it is needed."""
        return self

    def initial(self, program: Program) -> tuple[bool | None, ...]:
        """At the beginning; nobody is intended, and nothing has been drawn."""
        known, threads = resources(program), len(program.threads)
        place = known.groups.bit_length() + known.members.bit_length()
        weights = sum(most.bit_length() for most in interest(program).largest)
        return (True, *[False] * threads, *[None] * (place + weights))

    def circuit(self, program: Program, turn: Turn) -> Choice:
        """Gates grow as T log T with T threads: a child is looked at once, by its parent."""
        return _SurwCircuit(program, turn).choice()

    def reference(self, program: Program) -> SurwLane:
        """The reference form."""
        return SurwLane(interest(program), children(program))


class _SurwCircuit:
    """One pass under construction."""

    def __init__(self, program: Program, turn: Turn) -> None:
        self.net, self.turn, self.known = turn.net, turn, interest(program)
        self.below, self.pending = children(program), turn.pending()
        planes = iter(turn.kept)
        self.beginning = next(planes)
        self.intended = [next(planes) for _ in program.threads]
        self.group = [next(planes) for _ in self.pending[0].group]
        self.member = [next(planes) for _ in self.pending[0].member]
        self.left = [[next(planes) for _ in range(n.bit_length())] for n in self.known.largest]
        self._draw_place()
        self.touching = [self._touches(each) for each in self.pending]

    def choice(self) -> Choice:
        """Who steps, and what is kept."""
        net, fails = self.net, self._intend()
        able = self._able()
        chosen = uniform_choice(net, able, self.turn.random_bit)

        def after(stepped: Stepped) -> list[int]:
            touched = [net.and_(s, t) for s, t in zip(stepped.threads, self.touching, strict=True)]
            some = net.any(touched)
            left = [
                numbers.decreased(net, word, net.and_(line, numbers.exceeds(net, word, 1)))
                for word, line in zip(self.left, touched, strict=True)
            ]
            intended = [net.and_(line, some ^ 1) for line in self.intended]
            flat = [bit for word in left for bit in word]
            return [FALSE, *intended, *self.group, *self.member, *flat]

        return Choice([net.and_(line, fails ^ 1) for line in chosen], after)

    def _draw_place(self) -> None:
        """At the beginning: the place, and the weights of the threads."""
        net = self.net
        share = [self.turn.random_bit() for _ in range(SHARE_BITS)]
        lines, before, end = [], FALSE, 0
        for each in self.known.places:
            end += each.share
            up_to = numbers.exceeds(net, share, end - 1) ^ 1
            lines.append(net.and_(up_to, before ^ 1))
            before = up_to

        def drawn(old: Word, values: Sequence[int]) -> Word:
            return [
                net.mux(
                    self.beginning,
                    net.any(line for line, n in zip(lines, values, strict=True) if n >> q & 1),
                    bit,
                )
                for q, bit in enumerate(old)
            ]

        places = self.known.places
        self.group = drawn(self.group, [each.group for each in places])
        self.member = drawn(self.member, [each.member for each in places])
        self.left = [
            drawn(word, [each.weights[thread] for each in places])
            for thread, word in enumerate(self.left)
        ]

    def _touches(self, each: PendingLines) -> int:
        net = self.net
        same = net.or_(each.several, numbers.equal(net, each.member, self.member))
        return net.all([net.any(self.group), numbers.equal(net, each.group, self.group), same])

    def _able(self) -> list[int]:
        """Who may step: who is enabled, and does not touch the place unless that is intended."""
        net = self.net

        def may(thread: int) -> int:
            """Whether it is intended, or somebody in whose stead it touches the place."""
            instead = [
                net.and_(may(child), self.pending[child].unborn) for child in self.below[thread]
            ]
            return net.any([self.intended[thread], *instead])

        return [
            net.and_(can, net.or_(touching ^ 1, may(thread)))
            for thread, (can, touching) in enumerate(
                zip(self.turn.enabled, self.touching, strict=True)
            )
        ]

    def _intend(self) -> int:
        """Draw who touches the place next, where that is open; true where the draws failed."""
        net, enabled = self.net, self.turn.enabled
        stuck = net.any(self._able()) ^ 1
        again = net.and_(net.any(self.intended), stuck)
        draws = net.or_(net.any(self.intended) ^ 1, stuck)
        weights = []
        for thread, word in enumerate(self.left):
            stops = net.all([enabled[thread], self.touching[thread], numbers.is_zero(net, word)])
            raised = [net.or_(word[0], stops), *word[1:]] if word else [stops]
            among = net.mux(again, enabled[thread], self.pending[thread].ended ^ 1)
            weights.append([net.and_(bit, among) for bit in raised])
        largest = [max(1, most) for most in self.known.largest]
        new = weighted_choice(net, weights, largest, self.turn.random_bit)
        some = net.any(bit for word in weights for bit in word)
        found = net.and_(draws, net.any(new))
        self.intended = numbers.mux(net, found, new, self.intended)
        return net.all([draws, some, found ^ 1])


class SurwLane:
    """The reference form."""

    def __init__(self, known: Interest, below: Sequence[Sequence[int]]) -> None:
        self.known, self.below = known, below
        self.place: tuple[int, int] | None = None
        self.left: list[int] = []
        self.intended: int | None = None
        self.touching: list[bool] = []

    def choose(self, before: Before, random_bit: RandomBit) -> int | None:
        """Draw the place, then who is intended, then who steps of those that may."""
        share = sum(random_bit() << q for q in range(SHARE_BITS))
        if self.place is None:
            drawn = self.known.of_share(share)
            self.place, self.left = (drawn.group, drawn.member), list(drawn.weights)
        self.touching = [
            each.group == self.place[0] != 0 and (each.several or each.member == self.place[1])
            for each in before.pending
        ]
        able = self._able(before)
        draws = self.intended is None or not any(able)
        again = self.intended is not None and not any(able)
        weights = [self._weight(thread, before, again=again) for thread in range(len(able))]
        new = weighted(weights, [max(1, most) for most in self.known.largest], random_bit)
        if draws and new is not None:
            self.intended = new
        stepping = chosen_uniformly(self._able(before), random_bit)
        fails = draws and any(weights) and new is None
        return None if fails else stepping

    def stepped(self, thread: int, *, yields: bool) -> None:
        """One interesting step less, and the next is open."""
        if self.touching[thread]:
            self.intended = None
            if self.left[thread] > 1:
                self.left[thread] -= 1

    def _able(self, before: Before) -> list[int]:
        def may(thread: int) -> bool:
            unborn = (child for child in self.below[thread] if before.pending[child].unborn)
            return self.intended == thread or any(map(may, unborn))

        return [
            int(can and (not touching or may(thread)))
            for thread, (can, touching) in enumerate(
                zip(before.enabled, self.touching, strict=True)
            )
        ]

    def _weight(self, thread: int, before: Before, *, again: bool) -> int:
        can = bool(before.enabled[thread])
        among = can if again else not before.pending[thread].ended
        stops = can and self.touching[thread]
        return (self.left[thread] or int(stops)) if among else 0
