"""The library: one file a protocol, its expected result in its header."""
