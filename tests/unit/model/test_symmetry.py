"""Which threads nothing tells apart: conservative, and never wrong about who looks at whom."""

from model.language import ME, READ_ONCE, WRITE_ONCE, atomic_inc, rcu_read_lock, rcu_read_unlock
from model.symmetry import symmetry
from tests.building import memory, program_of
from tests.toy_programs import early_free, lost_update

x = y = a = per_thread = None


def counts():
    atomic_inc(x)
    WRITE_ONCE(y, 1)


def names_itself():
    WRITE_ONCE(a[ME], 1)


def reads():
    rcu_read_lock()
    READ_ONCE(x)
    rcu_read_unlock()


def with_rcu(p):
    memory(p)
    p.rcu(grace_periods_max=2)


def test_threads_of_a_body_are_alike():
    assert symmetry(program_of(counts, instances=3)).groups == ((0, 1, 2),)


def test_threads_of_different_bodies_are_not():
    assert symmetry(program_of(counts, reads, declare=with_rcu)).groups == ()


def test_a_body_that_uses_its_instance_number_tells_its_threads_apart():
    assert symmetry(program_of(names_itself, instances=2)).groups == ()
    assert symmetry(lost_update.compile()).groups == ()


def test_read_side_nesting_goes_with_its_thread():
    found = symmetry(program_of(reads, instances=2, declare=with_rcu))
    assert found.groups == ((0, 1),)
    assert set(found.arrays) == {"rcu_nesting", "rcu_holdout"}
    assert symmetry(early_free.compile(readers=2)).groups == ((0, 1),)
