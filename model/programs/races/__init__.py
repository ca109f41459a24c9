"""Races that the kernel had: each before and after its fix, with the interleaving that shows it."""
