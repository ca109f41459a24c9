"""The documents of the API as OpenAPI describes them.

Numbers that may pass 2^53 are text. What a document holds is made by the same functions as the
command line's `--json`; a test holds every answer to these descriptions.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """Nothing that is not described here."""

    model_config = ConfigDict(extra="forbid")


class Problem(Document):
    """RFC 9457."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no failure has the number 7"])
    instance: str = Field(examples=["/api/v1/failures/7"])
    errors: list[dict[str, Any]] = []


class Parameter(Document):
    """A parameter of a program, and the value it has here."""

    parameter: str = Field(examples=["gp_cookie"])
    default: int | str | bool
    value: int | str | bool
    values: str = Field(examples=["off or on"])


class ProgramSummary(Document):
    """A program of this installation."""

    program: str = Field(examples=["thp_split"])
    sentence: str
    parameters: list[Parameter]


class FailureSummary(Document):
    """A failure in a list."""

    failure: int = Field(examples=[1])
    program: str = Field(examples=["thp_split"])
    status: str = Field(examples=["open"])
    fingerprint: str
    oracle: str = Field(examples=["assert"])
    sentence: str = Field(examples=["huge page freed while referenced"])
    step: str = Field(examples=["find_get_page: __free_pages_ok(HEAD)"])
    preemptions: int = Field(examples=[2])
    switches: int
    threads: int
    steps: int
    sightings: int
    first_seen_at: str
    last_seen_at: str


class CampaignSummary(Document):
    """A campaign in a list."""

    campaign: int = Field(examples=[1])
    kind: str = Field(examples=["fuzz"])
    program: str = Field(examples=["thp_split"])
    ir_hash: str
    scheduler: str = Field(examples=["uniform walk"])
    seed: str = Field(examples=["1"])
    engine_revision: str
    budget: dict[str, Any]
    excluded_failures: list[int]
    state: str = Field(examples=["running"])
    ending: str | None
    started_at: str
    ended_at: str | None
    blocks: str
    schedules: str = Field(examples=["4100000000"])
    steps: str
    violations: str
    verification: dict[str, Any] | None


class Step(Document):
    """A step of a body."""

    step: str = Field(examples=["find_get_page: page = slot"])
    line: int
    function: str


class Body(Document):
    """Code that threads execute."""

    body: str
    steps: list[Step]


class Thread(Document):
    """A modelled thread."""

    thread: str
    body: str
    daemon: bool
    child: bool


class Oracle(Document):
    """What can be wrong, and its sentence."""

    oracle: str
    sentence: str


class Program(Document):
    """A program with its parameters folded in."""

    program: str = Field(examples=["thp_split"])
    title: str
    sentence: str
    ir_hash: str
    steps_max: int
    parameters: list[Parameter]
    threads: list[Thread]
    bodies: list[Body]
    oracles: list[Oracle]
    source: str


class FailurePage(Document):
    """Failures in order; `next` is the path of the page behind this one."""

    failures: list[FailureSummary]
    next: str | None


class Failure(FailureSummary):
    """All that is known of a failure."""

    parameters: dict[str, Any]
    ir_hash: str
    duplicate_of: int | None
    verdict: str | None = Field(examples=["reproduced"])
    checked_at: str | None
    proof: dict[str, str] = Field(examples=[{"preemptions": "proved"}])
    schedule: Any
    interleaving: Any
    diagram: str
    origin: str
    first_campaign: int
    first_block: str
    first_lane: int
    first_schedule_ordinal: str
    reproduce: str


class Life(Document):
    """All that was decided, written and found out about a failure, oldest first."""

    failure: int
    status: str
    statuses: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    overrides: list[dict[str, Any]]
    rechecks: list[dict[str, Any]]


class Changed(Document):
    """Whether anything is different from before."""

    changed: bool


class Change(Document):
    """A place that a step changed."""

    place: str = Field(examples=["count[TAIL]"])
    before: str
    after: str


class TraceStep(Document):
    """A step of an interleaving."""

    step: int
    thread: str
    text: str
    function: str
    line: int
    value: str | None
    choices: list[str]
    changes: list[Change]
    preempted: bool


class Trace(Document):
    """An interleaving executed again."""

    failure: int
    verdict: str = Field(examples=["reproduced"])
    outcome: str | None
    ending: str
    steps: list[TraceStep]


class Value(Document):
    """A place with its value; `before` where the last step changed it."""

    place: str
    value: str
    before: str | None


class ThreadState(Document):
    """Where a thread stands."""

    thread: str
    next_step: str
    line: int | None
    enabled: bool
    locals: dict[str, str]


class State(Document):
    """The whole state after so many steps."""

    step: int
    threads: list[ThreadState]
    shared: list[Value]
    ghosts: list[Value]
    internal: list[Value]


class Share(Document):
    """What a scheduler of a portfolio has done; of coverage, what the campaign had not seen."""

    scheduler: str = Field(examples=["pct:d=3,k=58,demotes=after"])
    blocks: str
    schedules: str
    steps: str
    violations: str
    executions: str
    pairs: str
    classes: str
    states: str


class Turn(Share):
    """Which scheduler of a portfolio was chosen for some blocks, and what they have shown."""

    first_block: str
    blocks_done: str


class Quarantined(Document):
    """Blocks that ended their worker again and again, and are in no count."""

    first_block: str
    blocks: str
    attempts: int
    worker: str
    error: str = Field(examples=["its process died"])
    at: str


class CurvePoint(Document):
    """What a campaign had found after so many blocks."""

    blocks: str
    at: str
    active_seconds: float
    schedules: str
    steps: str
    violations: str
    failures: int
    steps_reached: int
    pairs: int
    classes: int


class Campaign(CampaignSummary):
    """All that is known of a campaign."""

    outcomes: dict[str, str]
    sites: dict[str, str]
    steps_reached: list[str]
    states_seen: str
    states_seen_exact: bool
    states_reachable: str | None
    schedulers: list[Share]
    turns: list[Turn]
    coverage: dict[str, Any]
    disagreements: int
    quarantined: list[Quarantined]
    curve: list[CurvePoint]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}}
    for status in (401, 403, 404, 422, 429, 503)
}
