"""What is typed is understood, or refused with what would have been right."""

import pytest
import typer

from service.cli import execute
from workers.bench import BenchError, measurements, print_figures
from workers.commands import cores, seconds_of
from workers.errors import PoolError
from workers.stopping import StopRequest


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("2m", 120.0), ("1.5h", 5400.0), ("20", 20.0)]
)
def test_a_duration_has_a_unit_or_is_in_seconds(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-3s", "0s", "5d", "1m30s", "nan", "inf"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(typer.BadParameter, match="is no duration: give 30s, 2m or 1h"):
        seconds_of(text)


def test_there_is_at_least_one_core():
    assert cores() >= 1


def test_a_pool_that_does_not_start_ends_the_bench_with_a_sentence(monkeypatch, capsys):
    def refuse(_names):
        raise PoolError("Ray cannot start: the machine is too busy")

    monkeypatch.setattr("workers.bench.measure", refuse)
    assert execute(["bench", "--only", "two_worker_speedup"]) == 3
    assert capsys.readouterr().err == "gracefuzz: Ray cannot start: the machine is too busy\n"


def test_the_measurements_have_the_stated_names():
    named = {"first_failure_seconds", "first_failure_with_ray_seconds", "two_worker_speedup"}
    assert named < set(measurements())
    assert all(name == each.name for name, each in measurements().items())


def test_figures_are_one_flat_object(capsys):
    print_figures({"a.steps_per_second": 2.5e9, "b": 1.91}, as_json=True)
    assert capsys.readouterr().out == '{\n  "a.steps_per_second": 2500000000.0,\n  "b": 1.91\n}\n'
    print_figures({"a.steps_per_second": 2.5e9, "b": 1.91}, as_json=False)
    assert "2,500,000,000" in capsys.readouterr().out


def test_without_gcc_the_engine_is_not_compared(monkeypatch):
    from workers import bench, bench_engine

    def missing():
        raise FileNotFoundError("gcc is not installed")

    monkeypatch.setattr(bench_engine, "measurements", missing)
    with pytest.raises(BenchError, match="gcc is not installed"):
        bench.engine_figures()


def test_the_first_interrupt_is_a_request_and_the_second_an_abort():
    import signal

    before = signal.getsignal(signal.SIGINT)
    stop = StopRequest()
    with stop.listening():
        signal.raise_signal(signal.SIGINT)
        assert stop.is_requested
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
