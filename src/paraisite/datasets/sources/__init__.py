"""Live sources: what databases answer, as crystals, labelled rows and rejections. Nothing is asked unless called."""

from paraisite.datasets.sources.aflux import query_aflow
from paraisite.datasets.sources.known import SOURCES, LiveSource
from paraisite.datasets.sources.materials_project import query_mp
from paraisite.datasets.sources.optimade import query_optimade
from paraisite.datasets.sources.phonix import query_phonix
from paraisite.datasets.sources.rows import Labelled, Shortfall, collect
from paraisite.network.http import Client, SourceError

__all__ = [
    "SOURCES",
    "Client",
    "Labelled",
    "LiveSource",
    "Shortfall",
    "SourceError",
    "collect",
    "query_aflow",
    "query_mp",
    "query_optimade",
    "query_phonix",
]
