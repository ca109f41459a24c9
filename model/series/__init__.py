"""Series of patches as data: what an author of one imports, and in the folder one file a series."""

from model.series.declare import Column, Series, SeriesError, SeriesPatch, Variant

__all__ = ["Column", "Series", "SeriesError", "SeriesPatch", "Variant"]
