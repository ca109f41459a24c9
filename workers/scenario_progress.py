"""What has been done in a scenario space so far, as the display and the JSON object read it."""

from dataclasses import dataclass, field

from model.program import Program, show_parameter
from model.scenario_space import Configuration, ScenarioSpace
from model.signature import Signature
from workers.display import amount
from workers.ledger import BlockLedger
from workers.progress import Progress
from workers.recording import CampaignRecord
from workers.shards import Replayed, ShardResult, ShardSpec


@dataclass(slots=True)
class Tried:
    """A configuration that is a campaign; `result` is None while its blocks are being executed."""

    configuration: Configuration
    program: Program
    spec: ShardSpec
    record: CampaignRecord
    ledger: BlockLedger
    result: ShardResult | None = None

    @property
    def shown(self) -> dict[Signature, Replayed]:
        """What it has shown: the first violation of each signature."""
        replayed = () if self.result is None else self.result.replayed
        return {violation.signature: violation for violation in reversed(replayed)}


@dataclass(slots=True)
class ScenarioProgress:
    """`totals` adds up the campaigns of what was `tried`, in the order of their numbers.

    `refused` counts the configurations that the program itself does not accept; of what earlier
    campaigns have kept, `kept` still fails and `gone` does not.
    """

    space: ScenarioSpace
    totals: Progress
    tried: list[Tried] = field(default_factory=list)
    refused: int = 0
    kept: int = 0
    gone: int = 0
    doing: str = ""

    @property
    def answered(self) -> int:
        """Configurations of which it is known what they show, or that they are refused."""
        return self.refused + sum(tried.result is not None for tried in self.tried)

    @property
    def failing(self) -> int:
        """Configurations that have shown a violation."""
        return sum(bool(tried.shown) for tried in self.tried)


def features_sentence(space: ScenarioSpace, configuration: Configuration) -> str:
    """The features that are on: `lookups=2 op=split`."""
    on = space.on(configuration)
    return " ".join(f"{k}={show_parameter(v)}" for k, v in on) or "every feature off"


def space_lines(progress: ScenarioProgress) -> list[str]:
    """How much of the space has been tried, and what is going on."""
    tried = f"{progress.answered} of {amount(progress.space.size)} tried"
    lines = [f"  configurations  {tried}, {progress.failing} failing"]
    if progress.refused:
        lines[0] += f", {progress.refused} refused by the program"
    if progress.kept or progress.gone:
        gone = f", {progress.gone} fail no more" if progress.gone else ""
        lines.append(f"  kept from before  {progress.kept} still fail{gone}")
    return [*lines, f"  {progress.doing}"] if progress.doing else lines
