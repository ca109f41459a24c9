"""Keys and letters lead forward and back, and nowhere beyond the ends."""

import io

import pytest

from service.stepper import Move, moves, positions, step_through


def read_from(text):
    return io.StringIO(text).read


def asked(text):
    reader = read_from(text)
    return list(moves(lambda: reader(1)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("np", [Move.FORWARD, Move.BACK]),
        ("n\nn\n", [Move.FORWARD, Move.FORWARD]),
        ("\x1b[C\x1b[D\x1bOC", [Move.FORWARD, Move.BACK, Move.FORWARD]),
        ("\x1b[F\x1b[H", [Move.LAST, Move.FIRST]),
        ("gGq", [Move.FIRST, Move.LAST, Move.QUIT]),
        ("xyz?\x1b[Z", []),
        ("", []),
    ],
)
def test_keys_mean_moves(text, expected):
    assert asked(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nn", [0, 1, 2]),
        ("pp", [0]),
        ("nnnnnnp", [0, 1, 2, 3, 2]),
        ("Gg", [0, 3, 0]),
        ("nqn", [0, 1]),
        ("", [0]),
    ],
)
def test_positions_stay_between_the_ends(text, expected):
    assert list(positions(iter(asked(text)), last=3)) == expected


def test_a_pipe_gets_each_frame_once_and_no_control_characters(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("nnp"))
    out = io.StringIO()
    step_through(lambda position: f"frame {position}", last=5, out=out)
    assert out.getvalue() == "frame 0\n\nframe 1\n\nframe 2\n\nframe 1\n\n"
