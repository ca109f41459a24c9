"""A campaign has one coordinator; one whose coordinator was killed is not called running."""

import subprocess
import sys

import pytest

from storage.campaigns import finish_campaign, get_campaign
from storage.claims import LOST, claim, is_claimed, observed
from storage.errors import CampaignBusy, StorageError
from storage.tables import CampaignState


def test_a_claim_is_seen_until_it_is_released(database):
    assert not is_claimed(database.path, 1)
    claimed = claim(database.path, 1)
    assert is_claimed(database.path, 1) and not is_claimed(database.path, 2)
    claimed.release()
    assert not is_claimed(database.path, 1)
    assert not claimed.path.exists()


def test_two_cannot_claim_one_campaign(database, monkeypatch):
    monkeypatch.setattr("storage.claims.READERS_SECONDS_MAX", 0.05)
    first = claim(database.path, 3)
    with pytest.raises(CampaignBusy, match="campaign 3 is being executed by another process"):
        claim(database.path, 3)
    first.release()
    claim(database.path, 3).release()


def test_a_killed_process_lets_go(database):
    script = (
        "import sys, time; from pathlib import Path; from storage.claims import claim\n"
        "claim(Path(sys.argv[1]), 1); print('claimed', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(database.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "claimed\n"
    assert is_claimed(database.path, 1)
    process.kill()
    process.wait()
    assert not is_claimed(database.path, 1)
    claim(database.path, 1).release()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(StorageError, match="cannot use the database"):
        claim(tmp_path / "nowhere" / "x.db", 1)


def test_a_campaign_without_a_coordinator_was_interrupted(database, campaign_id, now):
    with database.read() as session:
        stored = get_campaign(session, campaign_id)
    claimed = claim(database.path, campaign_id)
    assert observed(database.path, stored) == stored
    claimed.release()
    seen = observed(database.path, stored)
    assert (seen.state, seen.ending) == (CampaignState.INTERRUPTED, LOST)
    with database.write() as session:
        finish_campaign(session, campaign_id, CampaignState.FINISHED, ending="spent", now=now)
    with database.read() as session:
        ended = get_campaign(session, campaign_id)
    assert observed(database.path, ended) == ended
