"""A bundle goes from one installation to another; a hostile one goes nowhere."""

import hashlib
import io
import json
import zipfile
from dataclasses import replace

import pytest

from model.interpreter import replay
from model.program_json import from_json
from model.stored_schedule import reconstruct
from service import bundle_reading, cli
from service.bundle_reading import BundleError, read_bundle
from service.bundles import MANIFEST, bundle
from service.failures import load_failure
from service.importing import import_bundle
from storage.campaigns import get_campaign, list_campaigns
from storage.failures import list_failures, list_sightings
from storage.session import open_database
from tests.lost_update import lost_update
from tests.stored_failures import NOW, store_failures
from tests.toy_series import add_up


@pytest.fixture
def sent(tmp_path):
    """The failures of an installation."""
    with open_database(tmp_path / "there.db") as database:
        numbers = store_failures(database, lost_update) + store_failures(database, add_up)
        return [load_failure(database, number) for number in numbers]


@pytest.fixture
def here(tmp_path):
    with open_database(tmp_path / "here.db") as database:
        yield database


def taken_in(here, content, **options):
    return import_bundle(here, read_bundle(content), now=NOW, **{"prove": False, **options})


def known(here):
    with here.read() as session:
        return list_failures(session)


def files_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files, *, compression=zipfile.ZIP_STORED):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return written.getvalue()


def resealed(files, **manifest):
    """The files with a manifest that fits them, as a careful liar would make it."""
    files = dict(files)
    told = json.loads(files.pop(MANIFEST))
    told["files"] = {
        name: {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        for name, text in files.items()
    }
    return packed({MANIFEST: json.dumps({**told, **manifest}).encode(), **files})


def altered(content, part, change):
    """A bundle in which the JSON of the first file of a folder was changed, and sealed again."""
    files = files_of(content)
    name = next(n for n in files if n.startswith(part) and n.endswith(".json"))
    told = json.loads(files[name])
    change(told)
    return resealed({**files, name: json.dumps(told).encode()})


def test_what_was_sent_is_here_as_it_was_there(sent, here):
    taken = taken_in(here, bundle(sent))
    assert [each.is_new for each in taken] == [True] * len(sent)
    by_print = {each.minimal.fingerprint: each.number for each in taken}
    for there in sent:
        record = there.failure.record
        loaded = load_failure(here, by_print[record.fingerprint])
        local = json.dumps(
            dict.fromkeys(json.loads(record.proof), "local (proved where it comes from)")
        )
        assert loaded.failure.record == replace(record, proof=local)
        assert loaded.program == there.program
        program = from_json(loaded.program.ir)
        trace = replay(program, reconstruct(program, loaded.failure.record.schedule))
        assert trace.site is not None
        with here.read() as session:
            (sighting,) = list_sightings(session, loaded.failure.failure_id)
            campaign = get_campaign(session, loaded.failure.first_campaign_id)
        assert sighting.lane == there.failure.first_lane
        assert campaign.ending.startswith("imported from the bundle ")


def test_importing_twice_changes_nothing(sent, here):
    content = bundle(sent)
    first = taken_in(here, content)
    before = known(here)
    again = taken_in(here, content)
    assert [each.is_new for each in again] == [False] * len(sent)
    assert [each.number for each in again] == [each.number for each in first]
    assert known(here) == before
    with here.read() as session:
        assert len(list_campaigns(session)) == len(sent)


def test_what_is_proved_is_proved_here_only_where_that_is_asked(sent, here):
    taken = taken_in(here, bundle(sent[:1]), prove=True)
    assert set(taken[0].minimal.proof.values()) == {"proved"}
    assert taken[0].minimal.fingerprint == sent[0].failure.record.fingerprint


def test_the_same_failures_give_the_same_bytes(sent):
    assert bundle(sent) == bundle(reversed(sent))


def test_a_bundle_of_nothing_is_read(here):
    assert taken_in(here, bundle([])) == ()


def refused(here, content):
    with pytest.raises(BundleError) as error:
        taken_in(here, content)
    assert known(here) == ()
    with here.read() as session:
        assert list_campaigns(session) == ()
    return str(error.value)


def test_what_is_no_zip_file_is_refused(here, sent):
    content = bundle(sent)
    assert "no zip file" in refused(here, b"PK\x03\x04 and then nothing")
    assert "no zip file" in refused(here, content[: len(content) // 2])
    assert f"it has no {MANIFEST}" in refused(here, packed({}))


def test_a_zip_bomb_is_not_unpacked(here, sent, monkeypatch):
    """Zeros pack a thousand times; reading ends at the bound, whatever the directory says."""
    monkeypatch.setattr(bundle_reading, "FILE_BYTES_MAX", 1 << 20)
    files = files_of(bundle(sent))
    name = next(name for name in files if name.startswith("programs/"))
    bomb = packed({**files, name: bytes(64 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 18
    assert "unpacks to more than a bundle may hold" in refused(here, bomb)
    lying = bytearray(bomb)
    size = (64 << 20).to_bytes(4, "little")
    while (at := lying.find(size)) >= 0:
        lying[at : at + 4] = (100).to_bytes(4, "little")
    refused(here, bytes(lying))


def test_many_files_and_large_ones_are_refused_before_they_are_read(here, monkeypatch):
    monkeypatch.setattr(bundle_reading, "FILES_MAX", 3)
    assert "4 files, and 3 is the most" in refused(here, packed({str(n): b"" for n in range(4)}))
    monkeypatch.setattr(bundle_reading, "BUNDLE_BYTES_MAX", 10)
    assert "10 is the most" in refused(here, packed({MANIFEST: b"{}"}))


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/cron.d/x",
        "/etc/passwd",
        "failures/../../x.json",
        "programs/" + "a" * 64 + ".py",
        "C:\\x.json",
        "failures/" + "a" * 64 + ".json/",
        "README",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(here, sent, name):
    assert "which no bundle has" in refused(here, resealed({**files_of(bundle(sent)), name: b"{}"}))


def test_a_file_that_is_there_twice_is_refused(here, sent):
    written = io.BytesIO(bundle(sent))
    with zipfile.ZipFile(written, "a") as archive, pytest.warns(UserWarning):
        archive.writestr(MANIFEST, b"{}")
    assert f"it has the file {MANIFEST} twice" in refused(here, written.getvalue())


def test_a_file_that_is_not_the_one_that_was_packed_is_refused(here, sent):
    files = files_of(bundle(sent))
    name = next(name for name in files if name.startswith("failures/"))
    assert "its SHA-256 is another" in refused(here, packed({**files, name: files[name] + b" "}))
    del files[name]
    assert "are not those that its" in refused(here, packed(files))


@pytest.mark.parametrize("version", [2, 0, "1", None, True])
def test_a_version_that_is_not_known_is_refused(here, sent, version):
    said = refused(here, resealed(files_of(bundle(sent)), version=version))
    assert said.startswith("it is a bundle of version ")


def test_a_program_that_is_not_the_one_it_is_called_is_refused(here, sent):
    def rename(told):
        told["program"]["steps_max"] += 1

    assert "the hash of this program is " in refused(
        here, altered(bundle(sent), "programs/", rename)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told["schedule"]["segments"].pop(), "violates nothing here"),
        (lambda told: told["schedule"].update(version=9), "version 9 of a stored schedule"),
        (lambda told: told.update(sentence="all is well"), "it fails otherwise than it says"),
        (lambda told: told.update(version=2), "no failure of version 1"),
        (lambda told: told.update(ir_hash="a" * 64), "a program that is not in the bundle"),
        (
            lambda told: told.update(proof={"preemptions": "proved"}),
            "how far its minimum is proved",
        ),
        (lambda told: told["proof"].update(steps="\x1b[2J"), "is no plain text"),
        (lambda told: told["origin"].update(lane=512), "512 is no lane"),
        (lambda told: told["origin"].update(block="-1"), "is no count that a campaign has"),
        (lambda told: told["origin"].update(block=str(1 << 63)), "is no count that a campaign has"),
        (lambda told: told["origin"].update(scheduler="x; rm -rf /"), "no scheduler"),
        (lambda told: told.update(origin=None), "what showed it first"),
    ],
)
def test_a_failure_that_does_not_hold_what_it_says_is_refused(here, sent, change, said):
    assert said in refused(here, altered(bundle(sent), "failures/", change))


def test_a_fingerprint_of_another_failure_is_refused(here, sent):
    files = files_of(bundle(sent[:1]))
    (name,) = [name for name in files if name.startswith("failures/") and name.endswith(".json")]
    files["failures/" + "0" * 64 + ".json"] = files.pop(name)
    assert "has another fingerprint" in refused(here, resealed(files))


def program_with(sent, **changes):
    """A bundle of one failure whose program was changed, with the hashes that belong to it."""
    files = files_of(bundle(sent[:1]))
    (old,) = [n for n in files if n.startswith("programs/") and n.endswith(".json")]
    (failure,) = [n for n in files if n.startswith("failures/") and n.endswith(".json")]
    told = json.loads(files.pop(old))
    told["program"].update(changes)
    text = json.dumps(told).encode()
    try:
        digest = from_json(text.decode()).hash
    except ValueError:
        digest = "0" * 64
    files[f"programs/{digest}.json"] = text
    files[f"programs/{digest}.txt"] = files.pop(old.replace(".json", ".txt"))
    files[failure] = json.dumps({**json.loads(files[failure]), "ir_hash": digest}).encode()
    return resealed(files)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps_max": 1 << 60}, "10,000 is the most"),
        ({"steps_max": 0}, "steps_max must be positive"),
        ({"name": "lost_update; reboot"}, "is no name that a program has"),
        ({"name": "lost\x1b[31m"}, "characters that a terminal would obey"),
        ({"parameters": [["writers", "$(reboot)"]]}, "is no name that a program has"),
        ({"steps_max": 1 << 70}, "a number of more than 64 bits"),
    ],
)
def test_a_program_that_would_cost_or_say_too_much_is_refused(here, sent, changes, said):
    assert said in refused(here, program_with(sent, **changes))


def test_a_shift_that_would_fill_the_memory_is_refused(here, sent):
    check = {
        "is": "Check",
        "site": 1,
        "test": {
            "is": "Binary",
            "op": "<<",
            "left": {"is": "Const", "value": 1},
            "right": {"is": "Const", "value": 1 << 40},
        },
    }
    assert "a shift by more than 64 bits" in refused(here, program_with(sent, invariants=[check]))


def test_json_that_is_nested_too_deeply_is_refused(here, sent):
    files = files_of(bundle(sent))
    name = next(n for n in files if n.startswith("programs/") and n.endswith(".json"))
    deep = b"[" * 200_000 + b"]" * 200_000
    refused(here, resealed({**files, name: deep}))


def test_the_command_says_what_was_taken_in_and_refuses_in_one_sentence(tmp_path, sent, capsys):
    there, here = str(tmp_path / "there.db"), str(tmp_path / "other.db")
    file = tmp_path / "sent.zip"
    assert cli.execute(["failures", "export", "--format", "bundle", "--db", there]) == 2
    assert "say where it goes with --output" in capsys.readouterr().err
    wish = ["failures", "export", "--format", "bundle", "--db", there, "--output", str(file)]
    assert cli.execute(wish) == 0
    assert file.read_bytes() == bundle(sent)
    for is_new in (True, False):
        assert cli.execute(["failures", "import", str(file), "--db", here, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [each["new"] for each in told] == [is_new] * len(sent)
    file.write_bytes(b"nothing")
    assert cli.execute(["failures", "import", str(file), "--db", here]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{file} is refused: it is no zip file") and "Traceback" not in said
    assert cli.execute(["failures", "import", str(tmp_path / "none.zip"), "--db", here]) == 2
