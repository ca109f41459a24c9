"""What Prometheus reads is complete, checked by Prometheus' own tool, and never goes backwards."""

import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from model.schedulers.portfolio import Gains
from workers.errors import PortTaken
from workers.metrics import CampaignCollector, served
from workers.progress import Progress
from workers.shards import BlockRange, run_shard

NAMES = {
    "gracefuzz_build_info": "gauge",
    "gracefuzz_classes_seen": "gauge",
    "gracefuzz_engine_disagreements_total": "counter",
    "gracefuzz_program_pairs": "gauge",
    "gracefuzz_program_pairs_seen": "gauge",
    "gracefuzz_program_steps": "gauge",
    "gracefuzz_program_steps_reached": "gauge",
    "gracefuzz_schedules_sampled_total": "counter",
    "gracefuzz_schedules_total": "counter",
    "gracefuzz_states_seen": "gauge",
    "gracefuzz_steps_total": "counter",
    "gracefuzz_violations_total": "counter",
}


@pytest.fixture
def progress(broken, broken_spec):
    progress = Progress(broken)
    result = run_shard(broken_spec, BlockRange(0, 2))
    progress.add(BlockRange(0, 2), result)
    progress.coverage = result.coverage
    return progress


def collector_for(progress):
    return CampaignCollector(
        progress.program.name,
        program_steps=progress.program_steps,
        possible_pairs=progress.possible_pairs,
    )


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def samples(text):
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_metric_is_there_before_anything_has_happened(progress):
    with served(collector_for(progress), port=0) as port:
        text = scrape(port)
    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    assert types == NAMES
    values = samples(text)
    assert values['gracefuzz_violations_total{kind="new",program="lost_update"}'] == 0
    assert values['gracefuzz_violations_total{kind="known",program="lost_update"}'] == 0
    assert values['gracefuzz_program_steps{program="lost_update"}'] == 2


def test_a_scrape_shows_the_totals_that_were_published(progress):
    collector = collector_for(progress)
    with served(collector, port=0) as port:
        collector.publish(progress)
        progress.last_new_timestamp_seconds = 1_321_000_000.5
        before = samples(scrape(port))
        collector.publish(progress)
        after = samples(scrape(port))
    name = "gracefuzz_last_new_violation_timestamp_seconds"
    assert before['gracefuzz_schedules_total{program="lost_update"}'] == progress.schedules > 0
    assert before['gracefuzz_steps_total{program="lost_update"}'] == progress.steps
    assert (
        before['gracefuzz_violations_total{kind="known",program="lost_update"}']
        == progress.violations
    )
    assert before['gracefuzz_schedules_sampled_total{program="lost_update"}'] == 512
    assert before['gracefuzz_program_pairs_seen{program="lost_update"}'] == 3
    assert before['gracefuzz_classes_seen{program="lost_update"}'] > 1
    assert 0 <= before['gracefuzz_new_class_ratio{program="lost_update"}'] < 0.1
    assert not any(key.startswith(name) for key in before)
    assert after[f'{name}{{program="lost_update"}}'] == 1_321_000_000.5


def test_promtool_has_nothing_to_say_about_a_real_scrape(progress):
    promtool = shutil.which("promtool") or shutil.which("promtool", path=".tools/usr/bin")
    if promtool is None:
        pytest.skip("promtool is not installed: `make system-packages` fetches it")
    collector = collector_for(progress)
    progress.last_new_timestamp_seconds = 1_321_000_000.5
    collector.publish(progress)
    with served(collector, port=0) as port:
        text = scrape(port)
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_it_is_served_on_loopback_and_only_inside_the_block(progress):
    with served(collector_for(progress), port=0) as port:
        assert scrape(port)
    with pytest.raises(urllib.error.URLError):
        scrape(port)


def test_a_port_in_use_is_said(progress):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortTaken, match=f"cannot serve metrics on port {port}"),
            served(collector_for(progress), port=port),
        ):
            pass


def test_a_portfolio_has_a_label_for_each_of_its_schedulers(progress):
    progress.shares = {"pos:bits=8": Gains(schedules=5, steps=70, violations=2), "urw": Gains()}
    collector = collector_for(progress)
    collector.publish(progress)
    with served(collector, port=0) as port:
        found = samples(scrape(port))
    labels = f'{{program="{progress.program.name}",scheduler="pos:bits=8"}}'
    assert found[f"gracefuzz_scheduler_schedules_total{labels}"] == 5
    assert found[f"gracefuzz_scheduler_steps_total{labels}"] == 70
    assert found[f"gracefuzz_scheduler_violations_total{labels}"] == 2
    assert sum("scheduler=" in name for name in found) == 6
