"""Failures executed again for the API and the pages; the last few are kept."""

from dataclasses import dataclass
from functools import lru_cache

from service.failures import LoadedFailure
from service.frames import Frame, ShownValue, frames_of
from service.replaying import Replayed, replayed
from service.web.lanes import Lanes, lanes_of

REPLAYS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Shown:
    """A failure, executed again."""

    replayed: Replayed
    frames: tuple[Frame, ...]
    lanes: Lanes


def shown(loaded: LoadedFailure) -> Shown:
    """Execute the minimal interleaving, or take it from the last REPLAYS_KEPT of them."""
    record = loaded.failure.record
    return _show(_Key(loaded, (record.ir_hash, record.schedule)))


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    loaded: LoadedFailure
    what: tuple[str, str]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.what == other.what

    def __hash__(self) -> int:
        return hash(self.what)


@lru_cache(REPLAYS_KEPT)
def _show(key: _Key) -> Shown:
    again = replayed(key.loaded)
    return Shown(again, frames_of(again.trace), lanes_of(again.trace))


def frame_object(frame: Frame) -> dict[str, object]:
    """A frame as JSON has it."""
    return {
        "step": frame.number,
        "threads": [
            {
                "thread": thread.name,
                "next_step": thread.next_step,
                "line": thread.line,
                "enabled": thread.is_enabled,
                "locals": dict(thread.locals),
            }
            for thread in frame.threads
        ],
        "shared": _values(frame.shared),
        "ghosts": _values(frame.ghosts),
        "internal": _values(frame.internal),
    }


def _values(values: tuple[ShownValue, ...]) -> list[dict[str, object]]:
    return [{"place": v.place, "value": v.value, "before": v.before} for v in values]
