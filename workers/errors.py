"""What can keep a campaign from starting or going on, and is neither the program nor the database.

Each message says what failed and the way out, so that the command line prints it as it stands.
"""


class PoolError(Exception):
    """The workers cannot be started or kept alive."""


class PortTaken(Exception):
    """The metrics cannot be served on the given port."""
