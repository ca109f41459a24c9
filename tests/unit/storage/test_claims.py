"""A campaign has one coordinator; one whose coordinator was killed is not called running."""

import shutil
import subprocess
import sys
import time

import pytest

from storage.campaigns import finish_campaign, get_campaign
from storage.claims import LOST, claim, is_claimed, observed
from storage.errors import CampaignBusy, StorageError
from storage.session import open_database
from storage.tables import CampaignState


def test_a_claim_is_seen_until_it_is_released(database):
    assert not is_claimed(database, 1)
    claimed = claim(database, 1)
    assert is_claimed(database, 1) and not is_claimed(database, 2)
    claimed.release()
    assert not is_claimed(database, 1)


def test_two_cannot_claim_one_campaign(database, monkeypatch):
    monkeypatch.setattr("storage.claims.READERS_SECONDS_MAX", 0.05)
    first = claim(database, 3)
    with pytest.raises(CampaignBusy, match="campaign 3 is being executed by another process"):
        claim(database, 3)
    first.release()
    claim(database, 3).release()


def test_a_killed_process_lets_go(database, location):
    script = (
        "import sys, time; from storage.session import open_database\n"
        "from storage.claims import claim; database = open_database(sys.argv[1])\n"
        "claimed = claim(database, 1); print('claimed', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, location], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "claimed\n"
    assert is_claimed(database, 1)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while is_claimed(database, 1):
        # A server notices some moments after the system has closed the connection.
        assert database.is_server and time.monotonic() < deadline
        time.sleep(0.01)
    assert not is_claimed(database, 1)
    claim(database, 1).release()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "gone").mkdir()
    with (
        open_database(tmp_path / "gone" / "x.db") as database,
        pytest.raises(StorageError, match="cannot use the database"),
    ):
        shutil.rmtree(tmp_path / "gone")
        claim(database, 1)


def test_a_campaign_without_a_coordinator_was_stopped(database, campaign_id, now):
    with database.read() as session:
        stored = get_campaign(session, campaign_id)
    claimed = claim(database, campaign_id)
    assert observed(database, stored) == stored
    claimed.release()
    seen = observed(database, stored)
    assert (seen.state, seen.ending) == (CampaignState.STOPPED, LOST)
    with database.write() as session:
        finish_campaign(session, campaign_id, CampaignState.FINISHED, ending="spent", now=now)
    with database.read() as session:
        ended = get_campaign(session, campaign_id)
    assert observed(database, ended) == ended
