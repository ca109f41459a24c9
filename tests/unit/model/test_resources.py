"""Two pending steps race where they touch one place, and one of them writes it."""

from model.interpreter import Machine
from model.language import ME, READ_ONCE, WRITE_ONCE, atomic, boolean, choose, program, uint
from model.schedulers.resources import resources


@program()
def touching(p):
    """Each thread's first step touches something else."""
    x = p.shared("x", uint(2))
    y = p.shared("y", uint(2))
    z = p.shared("z", uint(2))
    alone = p.shared("alone", boolean)
    cells = p.array("cells", 2, uint(2))

    @p.thread()
    def reads_x():
        READ_ONCE(x)

    @p.thread()
    def reads_x_too():
        READ_ONCE(x)

    @p.thread()
    def writes_x():
        WRITE_ONCE(x, 1)

    @p.thread()
    def writes_its_own():
        WRITE_ONCE(alone, 1)

    @p.thread(instances=2)
    def writes_a_cell():
        WRITE_ONCE(cells[ME], 1)

    @p.thread()
    def writes_any_cell():
        at = choose(0, 1)
        WRITE_ONCE(cells[at], 2)

    @p.thread()
    def writes_y_and_z():
        with atomic("write both"):
            y = 1  # noqa: F841
            z = 1  # noqa: F841

    @p.thread()
    def reads_z():
        READ_ONCE(z)

    @p.thread()
    def reads_y():
        READ_ONCE(y)


def test_steps_race_where_they_conflict():
    compiled = touching.compile()
    machine, known = Machine(compiled), resources(compiled)
    names = [thread.name for thread in compiled.threads]
    pending = [known.pending(machine, thread) for thread in range(len(names))]
    racing = {
        frozenset((names[a], names[b]))
        for a in range(len(names))
        for b in range(a)
        if pending[a].races(pending[b])
    }
    assert all(one.races(other) == other.races(one) for one in pending for other in pending)
    assert racing == {
        frozenset(pair)
        for pair in (
            ("reads_x", "writes_x"),
            ("reads_x_too", "writes_x"),
            ("writes_a_cell#1", "writes_any_cell"),
            ("writes_a_cell#2", "writes_any_cell"),
            ("writes_y_and_z", "reads_z"),
            ("writes_y_and_z", "reads_y"),
        )
    }
