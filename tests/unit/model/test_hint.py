"""A hint is what an author writes down of an interleaving: columns, or a list of steps."""

import pytest

from model.around import search_around
from model.circuit.step_circuit import Stepper
from model.columns import diagram
from model.explore import Explorer
from model.hint import read_hint
from model.hint_path import follow
from model.interpreter import replay
from model.language import LanguageError, Option, Switch
from model.library import PROGRAMS
from model.schedule import Pick
from tests.lost_update import lost_update

STATES_MAX = 20_000
LOSS = "an addition is lost"


def followed(program, text):
    return follow(program, read_hint(program, text, file="hint.txt"))


def refused(program, text):
    with pytest.raises(LanguageError) as error:
        followed(program, text)
    return str(error.value)


def violations(program):
    """A shortest violation of each oracle site within some thousand states."""
    explorer = Explorer(program, symmetry=True)
    while explorer.states < STATES_MAX and explorer.advance():
        pass
    return [explorer.trace(site) for site in sorted(explorer.explored().sites)]


def variants(source):
    """With its defaults, and with each switch or option changed alone."""
    yield source.compile()
    for name, parameter in source.parameters.items():
        if isinstance(parameter, Option):
            yield from (source.compile(**{name: each}) for each in parameter.names[1:])
        elif isinstance(parameter, Switch):
            yield source.compile(**{name: not parameter.default})


def check_round_trip(trace, around="{}"):
    text = diagram(trace, sentence=trace.program.sites[trace.site].sentence)
    again = followed(trace.program, around.format(text))
    assert again.trace.schedule == trace.schedule, text
    assert again.filled == 0


@pytest.mark.slow
def test_what_is_drawn_of_the_library_can_be_read_again():
    races = [each for each in PROGRAMS.values() if "races" in each.file]
    traces = [t for race in races for program in variants(race) for t in violations(program)]
    assert len(traces) > len(races) // 2
    for trace in traces:
        check_round_trip(trace)


def test_what_failures_show_prints_around_the_columns_is_passed_over():
    around = (
        "failure 1   lost_update (writers=2)   fingerprint 12345678\n"
        "oracle      at_end: an addition is lost\n\n{}\n\n"
        "replay      gracefuzz failures replay 1 --step\n"
    )
    for program in (lost_update.compile(), lost_update.compile(writers=4)):
        for trace in violations(program):
            check_round_trip(trace, around)


def test_what_is_left_out_is_filled_in_with_steps_of_the_same_thread():
    program = lost_update.compile()
    found = followed(program, "add#2: WRITE_ONCE(count, value + 1)\n...\nadd#1: value = count\n")
    assert [event.thread for event in found.trace.events] == [1, 1, 0]
    assert (found.matched, found.filled, found.trace.outcome) == (2, 1, None)


def test_the_columns_of_a_changelog_need_neither_dashes_nor_values():
    text = """
    CPU 0  add#2
    CPU 1  add#1

    CPU 0                CPU 1               count
    value = count
          <preempted>
                         value = READ_ONCE(count)  -> 0
                         …
                         count = value + 1       1
    count = value + 1  <-- an addition
                           is lost
    """
    found = followed(lost_update.compile(), text)
    assert [event.thread for event in found.trace.events] == [1, 0, 0, 1]
    assert found.trace.site is not None


def test_what_cannot_be_matched_is_shown_with_its_line_and_candidates():
    program = lost_update.compile()
    assert refused(program, "# idea\nadd#1: value = READ(count)\n") == (
        "hint.txt:2:8: add#1 has no step `value = READ(count)`\n"
        "    add#1: value = READ(count)\n"
        "           ^~~~~~~~~~~~~~~~~~~\n"
        "    did you mean `value = READ_ONCE(count)`"
    )
    assert "1:1: the program has no thread `sub`" in refused(program, "sub: value = count\n")
    assert "its threads are add#1, add#2" in refused(program, "sub: value = count\n")
    assert "the hint names no step" in refused(program, "\n# nothing yet\n")


def test_a_step_that_cannot_come_is_shown_with_where_the_threads_stand():
    twice = "add#1: value = count\nadd#1: value = count\n"
    said = refused(lost_update.compile(), twice)
    assert said.startswith("hint.txt:2:1: no execution does this step of add#1 after the lines")
    assert "add#1 before `WRITE_ONCE(count, value + 1)`" in said


def test_a_violation_before_the_end_of_a_hint_is_found():
    (trace, *_) = violations(lost_update.compile())
    text = diagram(trace, sentence="") + "  value = READ_ONCE(count)\n"
    found = followed(trace.program, text)
    assert found.trace.schedule == trace.schedule
    assert found.matched == len(trace.events)


def test_executions_around_a_hint_begin_with_it_and_depend_on_the_seed_only():
    program = lost_update.compile(writers=3)
    stepper, hint = Stepper(program), (Pick(0), Pick(1))
    found = search_around(stepper, hint, root_seed=1)
    again = search_around(stepper, hint, root_seed=1)
    assert [t.schedule for t in found.violations] == [t.schedule for t in again.violations]
    assert found.executions == 512 and found.violations
    for trace in found.violations:
        assert trace.schedule[:2] == hint
        assert replay(program, trace.schedule).site == trace.site
    other = search_around(stepper, hint, root_seed=2)
    assert [t.schedule for t in other.violations] != [t.schedule for t in found.violations]


def test_executions_around_a_hint_of_a_sound_program_show_nothing():
    found = search_around(Stepper(lost_update.compile(locked=True)), (), root_seed=1, rounds_max=3)
    assert (found.executions, found.violations) == (1536, ())
