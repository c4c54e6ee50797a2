"""`Limits`: what one request may take, and what all of them together may."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the service.

    Attributes
    ----------
    body_bytes : int
        Largest body of a request.
    files : int
        Most files of a request.
    crystals : int
        Most structures of a request, those in archives and files of many included.
    upload_seconds : float
        Longest time for a body to arrive, and for one piece of an answer to be taken.
    seconds : float
        Longest time of a prediction, from when a worker begins with it.
    silence_seconds : float
        A worker that reports nothing for so long is replaced.
    worker_GB : float
        Resident memory of a worker at which it is replaced.
    waiting : int
        Most requests that wait while all workers are busy; further ones are refused.
    total_bytes : int
        Bodies of all requests together.
    """

    body_bytes: int = 64_000_000
    files: int = 5_000
    crystals: int = 20_000
    upload_seconds: float = 120.0
    seconds: float = 600.0
    silence_seconds: float = 90.0
    worker_GB: float = 4.0
    waiting: int = 64
    total_bytes: int = 1 << 30
