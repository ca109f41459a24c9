"""The soak in a short form, and that it says what is wrong."""

import pytest

from storage.session import open_database
from tests.end_to_end.soak import figures, queue, soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
MIB = 1 << 20


def test_canaries_are_found_and_no_lease_is_left():
    told = soak(10.0, 0)
    assert told["wrong"] == []
    assert told["canaries_found"] == told["canaries"] == 10
    assert int(told["schedules"]) > 0


def test_what_is_wrong_is_said(tmp_path):
    """A canary that was not executed, a memory that grows, a coordinator that failed."""
    with open_database(tmp_path / "soak.db") as database:
        endless = queue(database, "thp_split", {}, seed=1)
        canary = queue(database, "thp_split", {}, seed=2)
        growing = [(second, (200 + second) * MIB) for second in range(100)]
        told = figures(database, endless, [canary], growing, exit_code=3)
    assert told["memory_growth_mib"] == pytest.approx(49, abs=1)
    assert [each.split()[0] for each in told["wrong"]] == ["memory", "1", "0", "the"]
