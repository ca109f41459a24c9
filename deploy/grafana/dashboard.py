"""The dashboard, built from code: `python deploy/grafana/dashboard.py` writes gracefuzz.json.

A test holds the file to what this prints, parses every query and looks each metric up in /metrics.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

WRITTEN = Path(__file__).with_name("gracefuzz.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OF = '{program=~"$program"}'
RATE = "[$__rate_interval]"
# Of Grafana's 24 columns.
FIGURE, GRAPH = 4, 12
FIGURE_HEIGHT, GRAPH_HEIGHT = 4, 8


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel: its queries by the legend of each, in Grafana's word for the unit."""

    title: str
    unit: str
    queries: dict[str, str]
    says: str
    is_figure: bool = False


ROWS: dict[str, tuple[Shown, ...]] = {
    "What was found": (
        Shown(
            "Open failures", "short", {"open": 'gracefuzz_failures{status="open"}'},
            "Failures that nobody has decided about.", is_figure=True,
        ),
        Shown(
            "Since the last new one", "s",
            {"since": "time() - gracefuzz_last_new_failure_timestamp_seconds"},
            "Time since a failure was found that nobody had seen before.", is_figure=True,
        ),
        Shown(
            "Engine disagreements", "short",
            {"disagreements": "gracefuzz_engine_disagreements_total"},
            "Must be 0: hits of the circuit that the interpreter did not confirm.", is_figure=True,
        ),
        Shown(
            "Quarantined ranges", "short", {"ranges": "gracefuzz_quarantined_ranges"},
            "Ranges of blocks that ended their workers three times.", is_figure=True,
        ),
        Shown(
            "Running campaigns", "short", {"running": 'gracefuzz_campaigns{state="running"}'},
            "Campaigns that are being executed.", is_figure=True,
        ),
        Shown(
            "Schedules in all", "short", {"schedules": f"sum(gracefuzz_schedules_total{OF})"},
            "Executions that have ended, of the chosen programs.", is_figure=True,
        ),
        Shown(
            "Violations", "cps",
            {"{{program}}": f"sum by (program) (rate(gracefuzz_violations_total{OF}{RATE}))"},
            "Executions a second that violated an oracle. A canary that falls to 0 is an alarm.",
        ),
        Shown(
            "Failures by status", "short", {"{{status}}": "gracefuzz_failures"},
            "Each distinct way to fail counts once.",
        ),
    ),
    "How fast": (
        Shown(
            "Schedules", "cps",
            {"{{program}}": f"sum by (program) (rate(gracefuzz_schedules_total{OF}{RATE}))"},
            "Executions that have ended, a second.",
        ),
        Shown(
            "Steps", "cps",
            {"{{program}}": f"sum by (program) (rate(gracefuzz_steps_total{OF}{RATE}))"},
            "Steps executed, a second.",
        ),
    ),
    "What was seen": (
        Shown(
            "Conflicting pairs", "short",
            {"campaign {{campaign}}": f"gracefuzz_campaign_pairs_seen{OF}"},
            "Ordered conflicting pairs of accesses seen, by campaign.",
        ),
        Shown(
            "Steps reached", "short",
            {"campaign {{campaign}}": f"gracefuzz_campaign_steps_reached{OF}"},
            "Steps of the program seen executed, by campaign.",
        ),
    ),
    "How it works": (
        Shown(
            "Leases", "short",
            {"{{state}}": "gracefuzz_leases", "tried again": "gracefuzz_leases_retried"},
            "Ranges of blocks that are not done.",
        ),
        Shown(
            "Ages", "s",
            {
                "oldest lease": "time() - gracefuzz_oldest_lease_timestamp_seconds",
                "coordinator's beat": "time() - gracefuzz_coordinator_beat_timestamp_seconds",
            },
            "A beat older than some seconds: no coordinator lives.",
        ),
        Shown(
            "Answers", "reqps",
            {"{{code}}": f"sum by (code) (rate(gracefuzz_http_requests_total{RATE}))"},
            "Requests answered by the service, by status.",
        ),
        Shown(
            "Time of an answer", "s",
            {
                "99 of 100": "histogram_quantile(0.99, sum by (le) "
                f"(rate(gracefuzz_http_request_duration_seconds_bucket{RATE})))",
                "half": "histogram_quantile(0.5, sum by (le) "
                f"(rate(gracefuzz_http_request_duration_seconds_bucket{RATE})))",
            },
            "From a request to the end of its answer.",
        ),
        Shown(
            "Database", "bytes",
            {
                "database": "gracefuzz_database_bytes",
                "free beside it": "gracefuzz_database_disk_free_bytes",
            },
            "What the database takes; what is left, where it is a file.",
        ),
        Shown(
            "Reading the figures", "s", {"snapshot": "gracefuzz_snapshot_duration_seconds"},
            "What reading all of this took in the database.",
        ),
    ),
}  # fmt: skip


def main() -> None:
    """Write the file."""
    WRITTEN.write_text(rendered(), encoding="utf-8")


def rendered() -> str:
    """The dashboard as Grafana reads it: it numbers panels itself and trips over null."""
    written = json.loads(JSONEncoder(sort_keys=True).encode(dashboard().build()))
    return json.dumps(without_nothing(written), indent=2) + "\n"


def without_nothing(value: object) -> object:
    """The same without what is null, and without the numbers that the library gives to rows."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if each is not None and key != "id"}
        return {key: without_nothing(each) for key, each in kept.items()}
    return [without_nothing(each) for each in value] if isinstance(value, list) else value


def dashboard() -> boards.Dashboard:
    """Rows of panels, over a chosen data source and chosen programs."""
    programs = (
        boards.QueryVariable("program")
        .datasource(SOURCE)
        .query("label_values(gracefuzz_schedules_total, program)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )
    board = (
        boards.Dashboard("gracefuzz")
        .uid("gracefuzz")
        .tags(["gracefuzz"])
        .description("Campaigns, what they found, and whether all of it works.")
        .time("now-6h", "now")
        .refresh("30s")
        .with_variable(boards.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(programs)
    )
    for title, shown in ROWS.items():
        board = board.with_row(boards.Row(title))
        for each in shown:
            board = board.with_panel(panel(each))
    return board


def panel(shown: Shown) -> stat.Panel | timeseries.Panel:
    """A figure, or a graph over time."""
    built: stat.Panel | timeseries.Panel
    if shown.is_figure:
        built = stat.Panel().span(FIGURE).height(FIGURE_HEIGHT)
    else:
        built = timeseries.Panel().span(GRAPH).height(GRAPH_HEIGHT).min(0)
    built = built.title(shown.title).unit(shown.unit).description(shown.says).datasource(SOURCE)
    for name, (legend, expression) in zip("ABCDEF", shown.queries.items(), strict=False):
        query = prometheus.Dataquery().expr(expression).legend_format(legend)
        built = built.with_target(query.ref_id(name).datasource(SOURCE))
    return built


if __name__ == "__main__":
    main()
