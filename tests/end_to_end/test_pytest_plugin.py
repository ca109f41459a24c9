"""Programs as tests of an author's own suite, in a pytest of their own."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).resolve().parents[2]

HEAD = """
from model.language import *
from workers.testing import fuzzed
"""
COUNTER = '''
{decorators}
@program(steps_max=60, locked=Switch(default=False))
def {name}(p):
    """Two threads add one."""
    count = p.shared("count", uint(4))
    lock = p.spinlock("lock")

    @p.thread(instances=2)
    def add():
        if p.locked:
            spin_lock(lock)
        value = READ_ONCE(count)
        WRITE_ONCE(count, value + 1)
        if p.locked:
            spin_unlock(lock)

    @p.at_end
    def nothing_is_lost():
        assert count == 2, "an addition is lost"
'''


@pytest.fixture
def suite(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(text, *options):
        pytester.makepyfile(test_mine=text)
        return pytester.runpytest_subprocess("-p", "workers.pytest_plugin", *options)

    return run


def counter(name, *decorators):
    return COUNTER.format(name=name, decorators="\n".join(decorators))


@pytest.mark.slow
def test_a_failing_program_is_shown_by_its_minimal_interleaving(suite):
    text = HEAD + counter("counter", "@fuzzed()", '@fuzzed(params={"locked": True})')
    ended = suite(text, "-rA")
    ended.assert_outcomes(failed=1, passed=1)
    ended.stdout.fnmatch_lines(
        [
            "*at_end: an addition is lost",
            "4 steps, 1 preemption, proved minimal",
            "*add#1*add#2*count",
            "*value = READ_ONCE(count)*-> 0",
            "*<preempted>",
            "*WRITE_ONCE(count, value + 1)*<-- an addition is lost",
        ]
    )
    ended.stdout.fnmatch_lines(["counter (locked=on): proved: no state violates an oracle; *"])
    ended.stdout.fnmatch_lines(
        [
            "FAILED test_mine.py::counter - counter (locked=off): an addition is lost",
            "*1 failed, 1 passed*",
        ]
    )
    ended.stdout.no_fnmatch_line("*checking.py*")


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_pytest_finds_the_plugin_of_an_installed_gracefuzz_itself(pytester, monkeypatch, options):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    small = "states=1000, schedules=1000"
    broken = counter("broken", f"@fuzzed({small})")
    sound = counter("sound", f'@fuzzed({small}, params={{"locked": True}})')
    pytester.makepyfile(test_mine=HEAD + broken + sound)
    ended = pytester.runpytest_subprocess(*options)
    ended.assert_outcomes(failed=1, passed=1)
    ended.stdout.fnmatch_lines(["*at_end: an addition is lost", "*1 failed, 1 passed*"])


@pytest.mark.slow
def test_expectations_budgets_and_the_seed_decide(suite):
    broken, fuzz = 'expect="violation"', "states=0, schedules=1000"
    text = HEAD + "".join(
        [
            counter("known", f"@fuzzed({broken})"),
            counter("known_fuzzed", f"@fuzzed({broken}, {fuzz}, seed=7)"),
            counter("mended", f'@fuzzed({broken}, params={{"locked": True}})'),
            counter("proved", '@fuzzed(expect="proof", params={"locked": True})'),
            counter("unsettled", f'@fuzzed({fuzz}, params={{"locked": True}})'),
            counter("unknown", '@fuzzed(params={"lucked": True})'),
        ]
    )
    ended = suite(text, "-v", "-rP")
    results = {
        line.split("::")[1].split("[")[0].split()[0]: line.split()[1]
        for line in ended.outlines
        if "::" in line and line.rstrip().endswith("%]")
    }
    passing = {"known", "known_fuzzed", "proved", "unsettled"}
    assert {name for name, result in results.items() if result == "PASSED"} == passing
    assert {name for name, result in results.items() if result == "FAILED"} == {"mended", "unknown"}
    said = ended.stdout.str()
    assert "    a violation is expected, and there is none: expect it no longer" in said
    assert "unknown has no parameter 'lucked': it has locked" in said
    assert "known_fuzzed (locked=off): " in said and "schedules executed, seed 7" in said
    assert "Traceback" not in said


def test_a_wrong_program_is_shown_with_its_caret(suite):
    text = HEAD + counter("wrong", "@fuzzed()").replace("value + 1", "READ_ONCE(count)")
    ended = suite(text)
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(["test_mine.py:*: two shared accesses*", "*^~~~*"])
    ended.stdout.no_fnmatch_line("*Traceback*")
    ended.stdout.no_fnmatch_line("*.py:*: LanguageError")


def test_a_suite_without_programs_imports_nothing_of_ours(suite):
    text = """
        import sys

        def test_light():
            ours = {"model", "storage", "service", "numpy", "llvmlite", "sqlalchemy"}
            assert not ours & set(sys.modules)
    """
    suite(text).assert_outcomes(passed=1)


def test_a_kernel_primitive_called_like_a_test_is_passed_over_in_silence(suite):
    text = "from model.language import test_bit, test_and_set_bit\ndef test_it(): pass\n"
    suite(text, "-Werror").assert_outcomes(passed=1, warnings=0)


def test_what_is_no_budget_and_no_program_is_refused_at_once():
    from workers.testing import fuzzed

    for wrong in ({"states": 0, "schedules": 0}, {"expect": "luck"}, {"seconds": 0.0},
                  {"expect": "proof", "states": 0}):  # fmt: skip
        with pytest.raises(ValueError):
            fuzzed(**wrong)
    with pytest.raises(ValueError, match=r"write it above @program"):
        fuzzed()(print)
