"""Pages hold what they are about, escape everything, and need no script to be read."""

import re
from html.parser import HTMLParser

import pytest

from model.schedule import Pick, picks_json
from service.web.curves import curve
from service.web.failure_page import shown_sighting
from service.web.pages import short
from service.web.source_lines import source_line
from storage.failures import SightingRecord

HTML = {"Accept": "text/html"}
BYTES_MAX = 150_000
VOID = {"meta", "link", "input", "br", "hr", "path", "rect", "line", "circle"}


class Balanced(HTMLParser):
    """Every element that is opened is closed, and in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert "style" not in names and not [n for n in names if n.startswith("on")]
        if tag not in VOID and tag not in ("option",):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID and tag not in ("option",):
            assert self.open.pop() == tag


@pytest.mark.parametrize(
    "path",
    ["campaigns", "campaigns/1", "failures", "failures/1", "programs", "programs/thp_split"],
)
def test_a_page_is_small_well_formed_and_without_inline_script(client, path):
    answer = client.get(f"/{path}", headers=HTML)
    assert answer.status_code == 200 and len(answer.content) < BYTES_MAX
    page = Balanced()
    page.feed(answer.text)
    assert page.open == []
    assert not re.search(r"<script(?! src=)", answer.text)


def test_the_page_of_a_failure_shows_each_step_and_the_state_that_is_asked_for(client):
    trace = client.get("/api/v1/failures/1/trace").json()
    page = client.get("/failures/1?step=2", headers=HTML).text
    assert len(re.findall(r'<tr id="step-\d+"', page)) == len(trace["steps"])
    assert f"After step 2 of {len(trace['steps'])}" in page
    frame = client.get("/failures/1/frame?step=0", headers=HTML).text
    assert "The initial state" in frame and "<html" not in frame


def test_a_sighting_is_as_long_as_its_execution_wherever_in_its_lane_it_began():
    picks = picks_json((Pick(1), Pick(0), Pick(1), Pick(0)))
    late = SightingRecord(campaign_id=1, ir_hash="a1", block=0, lane=5, step=2965, schedule=picks)
    assert shown_sighting(late).steps == 4


def test_what_a_person_types_is_escaped(client):
    page = client.get("/failures?program=%22%3E%3Cscript%3E", headers=HTML).text
    assert "<script>" not in page and "&#34;&gt;&lt;script&gt;" in page
    missing = client.get("/%3Cscript%3Ealert(1)%3C/script%3E", headers=HTML)
    assert missing.status_code == 404 and "<script>alert" not in missing.text


def test_a_person_is_told_what_went_wrong_on_a_page(client):
    answer = client.get("/failures/99", headers=HTML)
    assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/html")
    assert "no failure has the number 99" in answer.text


def test_an_empty_field_of_a_form_asks_for_nothing(client):
    empty = "program=&oracle=&status=&preemptions_max=&seen_after=&order=newest"
    answer = client.get(f"/failures?{empty}", headers=HTML)
    assert answer.status_code == 200 and 'href="/failures/1"' in answer.text


def test_large_numbers_have_three_digits_and_a_unit():
    numbers = [0, 9_999, 10_000, 999_499, 999_500, 1_234_567_890, 10**18]
    assert [short(number) for number in numbers] == [
        "0", "9,999", "10 k", "999 k", "1 M", "1.23 G", "1 E",
    ]  # fmt: skip


def test_a_curve_begins_at_the_left_and_never_leaves_its_picture():
    drawn = curve("found", [(1, 1.0), (10, 5.0), (100, 10.0)], whole=20.0)
    places = [tuple(map(float, p.split())) for p in drawn.line.removeprefix("M").split("L")]
    assert places[0][0] == 56 and places[-1] == drawn.last
    assert all(12 <= y <= 194 for _, y in places) and drawn.last[1] == 103.0
    assert curve("found", [(1, 1.0)], whole=None) is None


def test_a_source_line_is_shown_only_where_its_function_stands():
    text = "def lock():\n    spin_lock(a)\n\ndef unlock():\n    spin_unlock(a)\n"
    assert source_line(text, "lock", 2).text == "spin_lock(a)"
    assert source_line(text, "lock", 5) is None
    assert source_line("not python(", "lock", 2) is None
    assert source_line(text, None, 2) is None
