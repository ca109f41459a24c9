"""A scenario space of which the truth is known: plain additions of several writers can be lost.

What `reads` adds is a second step that can be the last one, which is a signature of its own; `kind`
does not matter.
"""

from model.language import (
    READ_ONCE,
    WRITE_ONCE,
    Option,
    Param,
    ParameterError,
    Switch,
    atomic_inc,
    program,
    uint,
)


@program(
    steps_max=60,
    writers=Param(1, 3, default=1),
    plain=Switch(default=False),
    reads=Param(0, 2, default=0),
    kind=Option("int", "unsigned", "none"),
)
def added_up(p):
    """Threads add one to a counter, and what is read beside does not matter."""
    if p.kind == "none" and p.reads:
        raise ParameterError("without a kind nothing is read")
    count = p.shared("count", uint(4))
    p.thread(instances=p.writers)(_add_plainly if p.plain else _add)
    if p.reads:
        p.thread(instances=p.reads)(_read)

    @p.at_end
    def nothing_is_lost():
        assert count == p.writers, "an addition is lost"


def _add():
    atomic_inc(count)  # noqa: F821


def _add_plainly():
    value = READ_ONCE(count)  # noqa: F821
    WRITE_ONCE(count, value + 1)  # noqa: F821


def _read():
    READ_ONCE(count)  # noqa: F821


def fails(configuration):
    values = dict(configuration)
    return values["plain"] and values["writers"] > 1
