"""A program with (2 rounds + 2)^3 - 1 states, as many as a test of a long verification needs."""

from model.language import READ_ONCE, Param, atomic_inc, program, uint


@program(steps_max=900, rounds=Param(1, 250, default=3))
def three_counters(p):
    """Three threads count, each for itself."""
    left = p.shared("left", uint(8))
    middle = p.shared("middle", uint(8))
    right = p.shared("right", uint(8))

    @p.thread()
    def count_left():
        while READ_ONCE(left) < p.rounds:
            atomic_inc(left)

    @p.thread()
    def count_middle():
        while READ_ONCE(middle) < p.rounds:
            atomic_inc(middle)

    @p.thread()
    def count_right():
        while READ_ONCE(right) < p.rounds:
            atomic_inc(right)
