"""What a verification writes: figures and failures into its campaign, checkpoints into files."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from model.explore import Explored, Snapshot
from model.program import Program
from model.signature import site_name
from storage.campaigns import finish_campaign
from storage.checkpoints import (
    Checkpoint,
    path_of,
    remove_checkpoints,
    write_checkpoint,
)
from storage.failures import get_failure
from storage.session import Database
from storage.tables import CampaignState, VerificationVerdict
from storage.verifications import (
    VerificationFigures,
    VerificationPlan,
    store_checkpoint,
    store_figures,
    store_verdict,
)
from workers.minimizing import Minimized
from workers.progress import FoundFailure
from workers.recording import CampaignRecord
from workers.shards import Replayed

SCHEDULER = "every state, breadth first"


@dataclass(slots=True)
class VerificationRecord:
    """A campaign that explores, and the folder of its checkpoints."""

    campaign: CampaignRecord
    folder: Path
    _checkpoint: Checkpoint | None = None

    @staticmethod
    def start(
        database: Database, program: Program, *, source: str, plan: VerificationPlan, folder: Path
    ) -> "VerificationRecord":
        """Store the program and a verification that is running; raises StorageError."""
        campaign = CampaignRecord.start(
            database,
            program,
            source=source,
            scheduler=SCHEDULER,
            root_seed=0,
            budget="{}",
            verification=plan,
        )
        return VerificationRecord(campaign, folder)

    @property
    def checkpoint(self) -> Path | None:
        """The file from which the verification can go on."""
        if self._checkpoint is None:
            return None
        return path_of(self._checkpoint, database=self.campaign.database.path)

    def store(self, figures: VerificationFigures) -> None:
        """Say how far it has come."""
        with self.campaign.database.write() as session:
            store_figures(session, self.campaign.campaign_id, figures)

    def sight(self, violation: Replayed, minimal: Minimized) -> FoundFailure:
        """Store a violation that was minimized; new is what no other campaign has shown before."""
        recorded = self.campaign.sight(violation, minimal, ordinal=0)
        with self.campaign.database.read() as session:
            first = get_failure(session, recorded.failure_id).first_campaign_id
        is_new = first == self.campaign.campaign_id
        return FoundFailure(
            recorded.failure_id, is_new, minimal, ordinal=0, has_regressed=recorded.has_regressed
        )

    def checkpoint_now(self, snapshot: Snapshot, figures: VerificationFigures) -> None:
        """Write a file, have the row name it, and only then remove the one before.

        Raises CheckpointError, and then nothing has changed.
        """
        path, number = self.campaign.database.path, self.campaign.campaign_id
        written = write_checkpoint(self.folder, number, snapshot, database=path)
        with self.campaign.database.write() as session:
            store_checkpoint(session, number, written)
            store_figures(session, number, figures)
        before, self._checkpoint = self.checkpoint, written
        remove_checkpoints(self.folder, number, but=self.checkpoint)
        if before is not None and before != self.checkpoint:
            before.unlink(missing_ok=True)

    def finish(
        self,
        state: CampaignState,
        *,
        ending: str,
        figures: VerificationFigures,
        verdict: VerificationVerdict,
    ) -> None:
        """The verification has ended; where no state is left it needs no checkpoint."""
        number, before = self.campaign.campaign_id, self.checkpoint
        with self.campaign.database.write() as session:
            store_figures(session, number, figures)
            store_verdict(session, number, verdict)
            if not figures.frontier:
                store_checkpoint(session, number, None)
            finish_campaign(session, number, state, ending=ending, now=datetime.now(UTC))
        if not figures.frontier:
            self._checkpoint = None
            remove_checkpoints(self.folder, number, but=None)
            if before is not None:
                before.unlink(missing_ok=True)
        self.campaign.release()


def figures_of(program: Program, explored: Explored, *, used_bytes: int) -> VerificationFigures:
    """What exploring has shown so far, as it is stored: sites by their names."""
    sites: dict[str, int] = {}
    for site, steps in explored.sites.items():
        name = site_name(program, site)
        sites[name] = min(steps, sites.get(name, steps))
    return VerificationFigures(
        states=explored.states,
        transitions=explored.transitions,
        frontier=explored.frontier,
        depth=explored.depth,
        used_bytes=used_bytes,
        exhausted=explored.exhausted and explored.exact,
        reduced=explored.reduced,
        discarded=explored.discarded,
        sites=sites,
    )
