"""Everything a campaign leaves behind, in one SQL database.

`open_database` gives a `Database`; its `read()` and `write()` give a session; the functions of the
other files take that session and values, and give values back. No row, query or SQL type leaves
this package, so `workers` and `service` never import SQLAlchemy.
"""
