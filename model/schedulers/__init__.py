"""Schedulers: how the next thread is chosen; one file each, with a reference form and a circuit form."""
