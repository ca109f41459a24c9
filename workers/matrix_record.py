"""What a matrix writes: each judged program is a campaign that has explored, with its cell."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from model.circuit.block import ENGINE_REVISION
from model.program import Program
from storage.campaigns import finish_campaign
from storage.cells import (
    CellEffort,
    CellFinding,
    CellKey,
    StoredCell,
    find_cell,
    record_cell,
)
from storage.disagreements import DisagreementRecord, record_disagreement
from storage.session import Database
from storage.tables import CampaignState, VerificationVerdict
from storage.verifications import (
    VerificationPlan,
    store_figures,
    store_verdict,
)
from workers.cells import CellWork, Judged
from workers.progress import Ending
from workers.recording import CampaignRecord
from workers.verification_record import figures_of

EXPLORING = "every state, breadth first; then "


@dataclass(frozen=True, slots=True)
class MatrixRecord:
    """The cells of a database that were judged in one way. Raises StorageError."""

    database: Database
    root_seed: int
    blocks_max: int
    memory: int

    @property
    def _budget(self) -> str:
        return json.dumps({"matrix": 2, "blocks": self.blocks_max, "memory": self.memory})

    def known(self, program: Program) -> StoredCell | None:
        """The cell of a program, or of one that folds to the same steps, where it is stored."""
        revision = str(ENGINE_REVISION)
        key = CellKey(program.folded_hash, self.root_seed, revision, self._budget)
        with self.database.read() as session:
            return find_cell(session, key)

    def work(self, program: str) -> CellWork:
        """How a program, given as JSON, is judged."""
        return CellWork(program, self.root_seed, self.blocks_max, self.memory)

    def store(self, program: Program, judged: Judged, *, source: str) -> StoredCell:
        """A campaign of its own, its failures, and the cell."""
        campaign = CampaignRecord.start(
            self.database,
            program,
            source=source,
            scheduler=EXPLORING + judged.scheduler,
            root_seed=self.root_seed,
            budget=self._budget,
            verification=VerificationPlan(self.memory, symmetry=True, bitstate=False),
        )
        findings = []
        for each in judged.findings:
            ordinal = each.schedules or 0
            failure = campaign.sight(each.shown, each.minimal, ordinal=ordinal).failure_id
            signature = each.minimal.signature
            findings.append(
                CellFinding(
                    signature.site,
                    signature.step,
                    failure,
                    each.shortest,
                    each.schedules,
                    each.engine_seconds,
                )
            )
        effort = CellEffort(
            judged.blocks, judged.fuzzed.schedules, judged.fuzzed.steps, judged.engine_seconds
        )
        number, explored = campaign.campaign_id, judged.explored
        ending = Ending.EXHAUSTED if explored.exhausted else Ending.MEMORY_FULL
        with self.database.write() as session:
            store_figures(
                session,
                number,
                figures_of(program, explored, used_bytes=judged.used_bytes),
            )
            store_verdict(session, number, VerificationVerdict(explored.verdict.value))
            record_cell(session, number, program.folded_hash, effort, tuple(findings))
            for odd in judged.disagreements:
                row = DisagreementRecord(
                    number, program.hash, odd.block, odd.lane, odd.number, odd.detail
                )
                record_disagreement(session, row, now=datetime.now(UTC))
            finish_campaign(
                session,
                number,
                CampaignState.FINISHED,
                ending=ending.value,
                now=datetime.now(UTC),
            )
        campaign.release()
        stored = self.known(program)
        assert stored is not None and stored.campaign_id == number
        return stored
