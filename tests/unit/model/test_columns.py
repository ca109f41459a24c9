"""Diagrams, whole: what a person pastes into a changelog."""

from model.columns import diagram
from model.interpreter import replay
from model.schedule import Pick
from model.steps_table import ShownChange, steps_table
from tests.toy_programs import crossed_locks, early_free, late_child, lost_update, stale_lookup


def played(program, threads):
    return replay(program, tuple(Pick(thread) for thread in threads))


def drawn(trace, **options):
    return "\n" + diagram(trace, **options)


def test_a_race_reads_as_in_a_changelog():
    trace = played(stale_lookup.compile(), [0, 1, 1, 1, 0])
    proof = "minimal: proved, nothing with fewer preemptions fails this way (41 states)"
    assert drawn(trace, sentence="not the page looked up", proof=proof) == EXPECTED_RACE


EXPECTED_RACE = """
                                                                    count
  find_get_page              reclaim                          slot [TAIL]
  -------------              -------                          ---- ------
                                                              TAIL      1
  page = slot  -> TAIL
       <preempted>
                             cmpxchg(count[TAIL], 1, 0) == 1            0
                             slot = NONE                      NONE
                             count[TAIL] = 1                            1
  inc_not_zero(count[page])                                             2
  <-- not the page looked up

  minimal: proved, nothing with fewer preemptions fails this way (41
  states)
"""


def test_a_deadlock_says_who_waits_for_what():
    trace = played(crossed_locks.compile(), [0, 1])
    assert drawn(trace, sentence="no thread can go on") == EXPECTED_DEADLOCK


EXPECTED_DEADLOCK = """
  ahead                      back
  -----                      ----
  spin_lock(first)
       <preempted>
                             spin_lock(second)
  <waits> spin_lock(second)
                             <waits> spin_lock(first)
                             <-- no thread can go on
"""


def test_ghosts_are_shown_where_nothing_else_changed_and_choices_are():
    trace = replay(early_free.compile(), tuple(map(Pick, [0, 0])))
    assert drawn(trace, sentence="") == EXPECTED_GHOST
    choosing = replay(early_free.compile(), (Pick(2), Pick(2, (1,))))
    assert "how = choose(0, 1)  [how = 1]  <-- freed" in diagram(choosing, sentence="freed")


EXPECTED_GHOST = """
  _reader#1            reading
  ---------            -------
                             0
  rcu_read_lock()
  the pointer is read        1
"""


def test_narrow_columns_run_on_below_the_next_ones():
    trace = played(lost_update.compile(), [2, 0, 0, 0, 0, 2, 2, 2, 1, 1, 1, 1])
    assert drawn(trace, sentence="lost") == EXPECTED_NARROW


EXPECTED_NARROW = """
                                                                   own
  adder#3          adder#1           adder#2               counter [1] done
  -------          -------           -------               ------- --- ----
                                                                 0   0    0
  seen = counter  -> 0
       <preempted>
                   seen = counter  -> 0
                   counter = seen + 1                            1
                   own[ME] = seen
                   inc(done)                                              1
  counter = seen + 1
  own[ME] = seen
  inc(done)                                                               2
                                     seen = counter  -> 1
                                     counter = seen + 1          2
                                     own[ME] = seen                  1
                                     inc(done)                            3
                                     <-- lost
"""


def test_more_threads_than_columns_are_listed():
    program = lost_update.compile(threads=6)
    trace = played(program, [0, 1, 2, 3, 4, 5, 5])
    assert drawn(trace, sentence="lost") == EXPECTED_LIST


EXPECTED_LIST = """
  adder#1  seen = counter  -> 0
  adder#1  <preempted>
  adder#2  seen = counter  -> 0
  adder#2  <preempted>
  adder#3  seen = counter  -> 0
  adder#3  <preempted>
  adder#4  seen = counter  -> 0
  adder#4  <preempted>
  adder#5  seen = counter  -> 0
  adder#5  <preempted>
  adder#6  seen = counter  -> 0
  adder#6  counter = seen + 1  [counter 0 -> 1]  <-- lost
"""


def test_a_trace_without_a_step_is_its_sentence():
    assert diagram(played(stale_lookup.compile(), []), sentence="nothing") == "<-- nothing\n"


def test_the_table_has_a_row_a_step():
    trace = played(stale_lookup.compile(), [0, 1, 1, 1, 0])
    first, second, *_ = rows = steps_table(trace)
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert (first.thread, first.body, first.text) == (
        "find_get_page",
        "find_get_page",
        "page = READ_ONCE(slot)",
    )
    assert first.value == "TAIL" and first.preempted and first.changes == ()
    assert second.value is None and not second.preempted
    assert second.changes == (ShownChange("count[TAIL]", "1", "0"),)


def test_a_value_is_shown_only_where_it_matters_afterwards():
    """The lookup that finds nothing ends there: what it read is not kept."""
    trace = played(stale_lookup.compile(), [1, 1, 0])
    assert steps_table(trace)[2].value is None


def test_a_step_that_chooses_says_what():
    trace = replay(late_child.compile(), (Pick(1, (1,)),))
    assert steps_table(trace)[0].choices == ("which = 1",)
