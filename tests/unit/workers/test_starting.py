"""What is forked is forked first: while this process is small, and has one thread."""

import json
import threading

import pytest

from tests.lost_update import lost_update
from workers import hinting, minimizer
from workers.progress import Verdict
from workers.starting import Wish, start

WISH = {
    "program": "thp_split",
    "parameters": {},
    "scheduler": "uniform_walk",
    "opened": (),
    "blocks": 1,
    "seconds": 1.0,
    "schedules": None,
    "block": None,
    "stop_on_first": True,
    "seed": 1,
    "database": "nowhere.db",
    "baseline": None,
    "excluded_failures": (),
    "only_new": False,
    "metrics_port": None,
    "as_json": False,
}


@pytest.mark.parametrize(
    ("workers", "expected"),
    [(0, ["forked", "followed with it", "closed"]), (2, ["followed alone"])],
)
def test_a_hint_is_followed_when_the_second_process_is_on_its_way(
    monkeypatch, tmp_path, workers, expected
):
    events, threads = [], threading.active_count()

    class Second:
        def __init__(self, program):
            assert threading.active_count() == threads
            events.append("forked")

        def close(self):
            events.append("closed")

    def followed(program, wish, second=None):
        events.append("followed alone" if second is None else "followed with it")
        return True

    monkeypatch.setattr(minimizer, "Minimizer", Second)
    monkeypatch.setattr(hinting, "show_hint", followed)
    wish = Wish(workers=workers, hint=tmp_path / "a.hint", **WISH)
    assert start(wish) is Verdict.VIOLATIONS
    assert events == expected


def test_what_a_hint_shows_is_kept_when_the_second_process_dies(tmp_path, capsys):
    class Dead:
        def minimized(self, violation, excluded):
            raise minimizer.MinimizerFailed("the process that minimizes has died")

    hint = tmp_path / "a.hint"
    hint.write_text("add#1: value = count\nadd#2: value = count\n")
    wish = hinting.HintWish(hint, str(tmp_path / "found.db"), "source", 1, as_json=True)
    assert hinting.show_hint(lost_update.compile(), wish, Dead())
    shown = capsys.readouterr().out
    assert json.loads(shown)["failures"]
    assert "local (not minimized: the process that minimizes has died)" in shown
