"""Forward and back through a trace: with keys at a terminal, with the same letters from a pipe."""

import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TextIO

CLEAR = "\x1b[H\x1b[2J"
KEYS_HELP = "n or right: forward   p or left: back   g: first   G: last   q: quit"


class Move(StrEnum):
    """What a key asks for."""

    FORWARD = "forward"
    BACK = "back"
    FIRST = "first"
    LAST = "last"
    QUIT = "quit"


_LETTERS = {
    "n": Move.FORWARD,
    " ": Move.FORWARD,
    "\r": Move.FORWARD,
    "p": Move.BACK,
    "g": Move.FIRST,
    "G": Move.LAST,
    "q": Move.QUIT,
    "\x03": Move.QUIT,
    "\x04": Move.QUIT,
}
# What a terminal sends after an escape: arrows, Home and End, in both of their modes.
_SEQUENCES = {
    "C": Move.FORWARD,
    "B": Move.FORWARD,
    "D": Move.BACK,
    "A": Move.BACK,
    "H": Move.FIRST,
    "F": Move.LAST,
}


def moves(read: Callable[[], str]) -> Iterator[Move]:
    """What the characters mean that `read` gives one by one, until it gives none."""
    while character := read():
        if character == "\x1b":
            opening = read()
            move = _SEQUENCES.get(read()) if opening in ("[", "O") else None
        else:
            move = _LETTERS.get(character)
        if move is not None:
            yield move


def positions(asked: Iterator[Move], *, last: int) -> Iterator[int]:
    """The positions from 0 to `last` that the moves lead through, beginning with 0."""
    assert last >= 0
    position = 0
    yield position
    for move in asked:
        if move is Move.QUIT:
            return
        before = position
        match move:
            case Move.FORWARD:
                position = min(last, position + 1)
            case Move.BACK:
                position = max(0, position - 1)
            case Move.FIRST:
                position = 0
            case Move.LAST:
                position = last
        if position != before:
            yield position


def step_through(show: Callable[[int], str], *, last: int, out: TextIO) -> None:
    """Print the text of each position that the person goes to, until the input ends."""
    interactive = sys.stdin.isatty() and out.isatty()
    with _keys(raw=interactive) as read:
        for position in positions(moves(read), last=last):
            if interactive:
                text = f"{CLEAR}{show(position)}\n\n{KEYS_HELP}\n"
                # A raw terminal does not return the carriage by itself.
                out.write(text.replace("\n", "\r\n"))
            else:
                out.write(f"{show(position)}\n\n")
            out.flush()


@contextmanager
def _keys(*, raw: bool) -> Iterator[Callable[[], str]]:
    if not raw:
        yield lambda: sys.stdin.read(1)
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        yield lambda: sys.stdin.read(1)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
