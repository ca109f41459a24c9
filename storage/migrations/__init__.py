"""The history of the schema: one file a revision, applied in this order by `storage.schema`."""

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
