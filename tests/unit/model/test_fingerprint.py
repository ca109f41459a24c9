"""What a fingerprint survives, and what it tells apart."""

import re

from model.fingerprint import canonical_threads, fingerprint, uses_instance_number
from model.interpreter import replay
from model.schedule import Pick
from tests.toy_programs import crossed_locks, early_free, lost_update, stale_lookup


def failing(program, threads):
    trace = replay(program, tuple(Pick(thread) for thread in threads))
    assert trace.site is not None
    return trace


def test_a_fingerprint_is_64_digits():
    trace = failing(crossed_locks.compile(), [0, 1])
    assert re.fullmatch("[0-9a-f]{64}", fingerprint(trace))
    assert fingerprint(trace) == fingerprint(failing(crossed_locks.compile(), [1, 0]))


def test_a_fingerprint_survives_parameters_that_add_threads_and_does_not_care_which_one_fails():
    alone = failing(stale_lookup.compile(), [0, 1, 1, 1, 0])
    three = stale_lookup.compile(lookups=3)
    others = [failing(three, [lookup, 3, 3, 3, lookup]) for lookup in range(3)]
    assert {fingerprint(trace) for trace in others} == {fingerprint(alone)}


def test_another_interleaving_has_another_fingerprint():
    two = stale_lookup.compile(lookups=2)
    one_reader = failing(two, [0, 2, 2, 2, 0])
    both = failing(two, [1, 0, 2, 2, 2, 0])
    assert fingerprint(one_reader) != fingerprint(both)


def test_instances_are_numbered_by_what_they_do():
    program = stale_lookup.compile(lookups=2)
    trace = failing(program, [1, 0, 2, 2, 2, 0])
    assert canonical_threads(trace) == {
        1: ("find_get_page", 0),
        0: ("find_get_page", 1),
        2: ("reclaim", 0),
    }


def test_a_body_that_uses_its_number_keeps_it():
    program = lost_update.compile(threads=2)
    trace = failing(program, [1, 0, 0, 0, 0, 1, 1, 1])
    assert canonical_threads(trace) == {0: ("adder", 0), 1: ("adder", 1)}
    assert uses_instance_number(program.bodies[0], program)


def test_being_a_reader_is_no_use_of_the_number():
    program = early_free.compile()
    assert not any(uses_instance_number(body, program) for body in program.bodies)
