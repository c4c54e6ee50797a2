"""The study's figures, each a file of its own; `pictures` lists those that there are data for."""

from paraisite.study.figures.picture import Picture, Source, load_source, pictures

__all__ = ["Picture", "Source", "load_source", "pictures"]
