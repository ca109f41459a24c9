"""A coordinator with simulated workers as a process of its own, to be killed by tests.

Arguments: the database's location, a seed.
"""

import sys

from storage.session import open_database
from workers.coordinating_command import holder_name, say
from workers.fleet import Fleet
from workers.simulated_pool import SimulatedPool


def main(location: str, seed: str) -> None:
    """Coordinate until no campaign is left."""
    pool = SimulatedPool(32, (0.01, 0.05), seed=int(seed), lost=0.05, repeated=0.1)
    pool.lease_seconds, pool.seconds_per_block = 1.0, 0.2
    with open_database(location) as database:
        fleet = Fleet(database, pool, say, lambda: False, holder_name(), is_done_when_idle=True)
        fleet.silent_seconds = 1.0
        fleet.execute()


if __name__ == "__main__":
    main(*sys.argv[1:])
