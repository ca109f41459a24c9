"""Schedulers: how the next thread is chosen; one file each, a reference form and a circuit form."""
