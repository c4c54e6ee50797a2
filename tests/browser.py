"""A real Chromium for tests of the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
LOUD = ("GPU stall", "WebGL", "GL Driver")
"""What the software renderer of a machine without graphics says on the console."""


def chromium() -> str:
    """Path of a Chromium; skips the test where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium, or set CHROMIUM)")
    return found


@contextmanager
def visiting(browser: Any, url: str, *, allowed: tuple[str, ...] = (), **how: Any) -> Iterator[Any]:
    """Open a page of a service in a context of its own.

    At the end it must have asked nobody else, and have said nothing on the console but what holds one of `allowed`.
    """
    said: list[str] = []
    asked: list[str] = []
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, "accept_downloads": True} | how)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(url)
        yield page
        assert not [text for text in said if not any(part in text for part in (*LOUD, *allowed))]
        origin = url.partition("#")[0].rstrip("/")
        assert not [
            other for other in asked if other != origin and not other.startswith((f"{origin}/", "data:", "blob:"))
        ]
    finally:
        context.close()
