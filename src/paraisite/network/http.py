"""`Session` asks a server politely and suspiciously; `Client` keeps the pages that came so that a query can be resumed.

Downloads (`paraisite.network.downloading`) and live sources share addresses, redirects, patience and explanations.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from paraisite import __version__
from paraisite.files.writing import write_json

MAX_BYTES = 256 << 20
"""No answer may be longer, unpacked."""
MAX_SECONDS = 600
"""No answer may take longer to arrive."""
MAX_WAIT = 120
"""Longest wait before another attempt, in seconds; a server that asks for more is not asked again."""
MAX_REDIRECTS = 4
REPEATED = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that may pass by themselves."""
SHOWN = 240

T = TypeVar("T")


class AddressError(ValueError):
    """A text is not an address on the web, or one that must not be used."""


class SourceError(ValueError):
    """A source did not answer as documented: what was asked, what came, and what to do."""

    def __init__(self, asked: str, came: str, remedy: str) -> None:
        super().__init__(f"request: {shorten(asked, 2 * SHOWN)}; response: {came}; {remedy}")
        self.asked, self.came, self.remedy = asked, came, remedy


class Again(SourceError):
    """A failure that may pass; `after` is how long the server asks to wait, in seconds."""

    def __init__(self, asked: str, came: str, remedy: str, after: float = 0.0) -> None:
        super().__init__(asked, came, remedy)
        self.after = after


def shorten(text: str | bytes, limit: int = SHOWN) -> str:
    """Return the beginning of a text on one line, without what would disturb a terminal."""
    if isinstance(text, bytes):
        text = text[: 4 * limit].decode("utf-8", errors="replace")
    line = "".join(c if c.isprintable() else " " for c in " ".join(text[: 4 * limit].split()))
    return line if len(line) <= limit else line[:limit] + "…"


def check_address(url: str) -> str:
    """Return the address.

    Raises
    ------
    AddressError
        If it is not http(s), or holds a user name or password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise AddressError(f"{shorten(url)!r} is not an address that begins with https:// or http://; correct it")
    if parts.username is not None or parts.password is not None:
        raise AddressError(f"the address of {parts.hostname} holds a user name; leave it out, it would be written down")
    return url


def repeat(
    ask: Callable[[], T],
    waits: Sequence[float],
    *,
    say: Callable[[str], None] = lambda line: None,
    arrived: Callable[[], int] = lambda: 0,
) -> T:
    """Return what `ask` returns, asking again after a pause where it raises what may pass.

    Parameters
    ----------
    ask : callable
    waits : sequence of float
        Seconds before each further try; a server may ask for longer pauses.
    say : callable
        Told in a line what is being waited for.
    arrived : callable
        How much has arrived; a try that brings more than any before restarts the waits.

    Raises
    ------
    SourceError
        If all tries fail, or the server asks for more patience than `MAX_WAIT`.
    """
    most, failures = arrived(), 0
    while True:
        try:
            return ask()
        except Again as error:
            if arrived() > most:
                most, failures = arrived(), 0
            if error.after > MAX_WAIT:
                remedy = f"the server asked for a delay of {error.after:.0f} s; try again then"
                raise SourceError(error.asked, error.came, remedy) from None
            if failures == len(waits):
                raise SourceError(error.asked, f"{error.came} ({failures + 1} times)", error.remedy) from None
            wait = min(max(waits[failures], error.after), MAX_WAIT)
            failures += 1
            say(f"{urlsplit(error.asked).hostname}: {error.came}; retrying in {wait:.3g} s")
            time.sleep(wait)


def refuse_busy(asked: str, response: requests.Response, said: str) -> None:
    """Raise `Again` if the status of an answer may pass by itself."""
    if response.status_code in REPEATED:
        raise Again(asked, f"HTTP {response.status_code} {said}", "try again later", _retry_after(response))


class Session(requests.Session):
    """A session that repeats what may pass, follows few redirects, and stops reading what grows too large.

    Repeating is done here and not in urllib3, whose `Retry` knows neither a body that breaks off nor one that is
    broken under status 200. Redirects are followed here so that no key travels to another host.
    """

    def __init__(
        self,
        *,
        say: Callable[[str], None] = lambda line: None,
        waits: Sequence[float] = (),
        timeout: float | tuple[float, float],
    ) -> None:
        super().__init__()
        self.headers["User-Agent"] = f"paraisite/{__version__}"
        self.say, self.waits, self.limit = say, waits, timeout

    def fresh(self) -> Session:
        """Return another session of the same kind: what one server is sent, a key say, is not sent to the next."""
        return Session(say=self.say, waits=self.waits, timeout=self.limit)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Ask as often as it takes; as `requests.Session.request`, but the timeout is the session's own."""
        return self.repeat(lambda: self.once(str(method), str(url), *args, **kwargs))

    def repeat(self, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, with the patience of this session (see the function `repeat`)."""
        return repeat(ask, self.waits, say=self.say)

    def once(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        """Ask once and read the whole answer.

        Raises
        ------
        SourceError
            If there is no answer, it is too large, it redirects too far, or its status may pass.
        """
        asked = _with_query(url, kwargs.get("params"))
        deadline, body = time.monotonic() + MAX_SECONDS, bytearray()
        with self.answer(method, url, *args, **kwargs) as response:
            for part in response.iter_content(1 << 16):
                body += part
                if len(body) > MAX_BYTES:
                    raise SourceError(asked, f"more than {MAX_BYTES >> 20} MiB", "request fewer entries per page")
                if time.monotonic() > deadline:
                    raise SourceError(asked, f"not complete within {MAX_SECONDS} s", "request fewer entries per page")
        response._content = bytes(body)
        refuse_busy(asked, response, repr(_said(response.content)))
        return response

    @contextmanager
    def answer(self, method: str, url: str, *args: Any, **kwargs: Any) -> Iterator[requests.Response]:
        """Ask once and follow redirects; the body is still to be read, and what goes wrong then is explained, too.

        Raises
        ------
        SourceError
            If there is no answer, or it redirects too far.
        """
        check_address(url)
        asked = _with_query(url, kwargs.get("params"))
        kwargs |= {"timeout": self.limit, "allow_redirects": False, "stream": True}
        with _explained(asked):
            for _ in range(MAX_REDIRECTS + 1):
                response = super().request(method, url, *args, **kwargs)
                if not response.is_redirect:
                    break
                response.close()
                target = urljoin(url, response.headers["location"])
                before, after = urlsplit(url), urlsplit(check_address(target))
                if before.scheme == "https" and after.scheme != "https":
                    came = f"a redirect to {shorten(target)}"
                    raise SourceError(asked, came, "it is not encrypted and is not followed")
                if before.netloc != after.netloc:
                    kwargs["headers"] = {**(kwargs.get("headers") or {}), "x-api-key": None, "authorization": None}
                url, args = target, ()
                kwargs.pop("params", None)
            else:
                raise SourceError(asked, f"more than {MAX_REDIRECTS} redirects", "check the address")
            with response:
                yield response


def _with_query(url: str, params: Any) -> str:
    return requests.Request("GET", url, params=params).prepare().url or url


@contextmanager
def _explained(asked: str) -> Iterator[None]:
    """Turn what requests raises into what a person can act on."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise SourceError(asked, _cause(error), "the certificate is not trusted; check address and clock") from None
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as error:
        raise Again(asked, _cause(error), "check address and network, or try again later") from None
    except requests.RequestException as error:
        raise SourceError(asked, _cause(error), "check the address") from None


class Client:
    """Pages of a source.

    Parameters
    ----------
    pages : Path, optional
        Folder in which each page is kept as it arrives, and looked for before it is asked for: a query that was cut
        short resumes where it stopped. By default nothing is kept.
    say : callable, optional
        Told in a line what is being waited for.
    attempts : int
        How often a page is asked for before the query gives up.
    backoff : float
        Seconds before the second attempt; doubled for each further one.
    timeout : float
        Seconds without any sign of the server after which an attempt has failed.

    Attributes
    ----------
    expected : int
        Entries that the sources have announced so far.
    """

    def __init__(
        self,
        pages: Path | None = None,
        *,
        say: Callable[[str], None] = lambda line: None,
        attempts: int = 7,
        backoff: float = 0.5,
        timeout: float = 60.0,
    ) -> None:
        self.pages = pages
        self.expected = 0
        waits = [backoff * 2**n for n in range(attempts - 1)]
        self.session = Session(say=say, waits=waits, timeout=timeout)

    def page(self, url: str, look: Callable[[Any], T]) -> T:
        """Return what `look` makes of the JSON document at an address.

        `look` raises ValueError with what is wrong with a document that is not as documented; such a one is not kept.

        Raises
        ------
        SourceError
            If no usable document arrives.
        """
        return look(self.keep(url, lambda: self.session.repeat(lambda: self._document(url, look))))

    def keep(self, key: str, fetch: Callable[[], Any]) -> Any:
        """Return the document kept under a key, else the one that `fetch` gets, and keep it."""
        if self.pages is None:
            return fetch()
        path = self.pages / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        if path.is_file():
            with suppress(ValueError):  # damaged since: ask again
                return json.loads(path.read_bytes())
        document = fetch()
        self.pages.mkdir(parents=True, exist_ok=True)
        write_json(path, document, indent=None, end="")
        return document

    def _document(self, url: str, look: Callable[[Any], Any]) -> Any:
        response = self.session.once("GET", url)
        body = response.content
        if response.status_code != 200:
            came = f"HTTP {response.status_code} {_said(body)!r}"
            raise SourceError(url, came, "correct the filter or the address")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            came = f"{shorten(body)!r}, not readable JSON ({shorten(str(error), 80)})"
            if body.lstrip()[:1] == b"<":  # HTML does not turn into data by asking again
                raise SourceError(url, came, "check the address: received HTML instead of JSON") from None
            raise Again(url, came, "the response is truncated or damaged; request fewer entries or try later") from None
        try:
            look(document)
        except ValueError as error:
            came = f"{shorten(body)!r}: {error}"
            raise SourceError(url, came, "check the address, or report it with this line") from None
        return document


def _said(body: bytes) -> str:
    """What the body of a failure says to a person: the details of JSON:API or FastAPI, else its beginning."""
    try:
        document = json.loads(body)
        details = [error.get("detail") or error.get("title") for error in document["errors"]]
        return shorten("; ".join(map(str, details)))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return shorten(body)


def _retry_after(response: requests.Response) -> float:
    """Seconds that a server asks to wait (RFC 9110, 10.2.3: a number or a date), 0 if it does not say."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _cause(error: Exception) -> str:
    """What went wrong, without the address again and without the names of the libraries' objects."""
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    text = inner.args[0] if isinstance(inner, Exception) and inner.args and isinstance(inner.args[0], str) else inner
    # urllib3 begins with the object or the host: "HTTPSConnection(host='…', port=443): Failed to resolve …"
    text = re.sub(r"^(<.*?>|\w+\(.*?\)): ", "", str(text))
    return shorten(re.sub(r"\[Errno -?\d+\] ", "", text) or type(error).__name__, 120)
