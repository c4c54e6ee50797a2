"""The files of a request: received within limits, and kept under random names in a private folder."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from paraisite.files.printable import printable
from paraisite.web.jobs import Upload
from paraisite.web.limits import Limits
from paraisite.web.problems import Problem
from paraisite.web.visit import Visit

LONGEST_NAME = 255
"""Characters of the name of a file."""

DRAIN_SECONDS = 5.0
"""For how long the rest of a refused body is read: a sender that is cut off does not see the answer."""


class _Parser(MultiPartParser):
    ended = False

    def on_end(self) -> None:
        self.ended = True


async def receive(request: Request, visit: Visit, limits: Limits, name: str) -> tuple[Upload, ...]:
    """Write the files of a request to the folder of its visit.

    Parameters
    ----------
    request : Request
        Its body is a form with files (multipart/form-data), JSON, or the content of one file.
    visit : Visit
    limits : Limits
    name : str
        Of a body that is one file.

    Raises
    ------
    Problem
        If the body is none of these, too large, too slow, or has too many files.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "encoded-body", "Send the body as it is; files may be packed (.gz, .bz2, .xz, .zip).")
    if kind == "application/x-www-form-urlencoded":
        raise Problem(
            415, "wrong-body", "Send files as multipart/form-data (curl -F), JSON, or one file with its content type."
        )
    body = _body(request, visit, limits)
    try:
        async with asyncio.timeout(limits.upload_seconds):
            if kind == "multipart/form-data":
                found = await _form(request, body, visit.folder, limits)
            else:
                found = (await _single(body, visit.folder, name, kind),)
    except TimeoutError:
        raise Problem(
            408, "slow-body", f"The body did not arrive within {limits.upload_seconds:g} s; send less at a time."
        ) from None
    return found


async def _body(request: Request, visit: Visit, limits: Limits) -> AsyncGenerator[bytes, None]:
    """Yield the body, whose length counts as it comes, whatever its header says."""
    size = 0
    declared = request.headers.get("content-length", "")
    expected = int(declared) if declared.isascii() and declared.isdigit() else 0
    stream = request.stream()
    if expected <= limits.body_bytes:
        async for part in stream:
            size += len(part)
            if size > limits.body_bytes:
                break
            if not visit.hold(len(part), limits.total_bytes):
                raise Problem(503, "busy", "The service holds too many files at the moment.", retry_after=5)
            yield part
        else:
            return
    most = limits.body_bytes
    await _drain(stream, most)
    raise Problem(413, "too-large", f"The body is larger than {most / 1e6:g} MB; send less at a time.")


async def _drain(stream: AsyncIterator[bytes], most: int) -> None:
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in stream:
                most -= len(part)
                if most < 0:
                    return
    except TimeoutError:
        return


async def _form(
    request: Request, body: AsyncGenerator[bytes, None], folder: Path, limits: Limits
) -> tuple[Upload, ...]:
    parser = _Parser(request.headers, body, max_files=limits.files, max_fields=0)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        what = error.message
        if "Too many files" in what:
            raise Problem(413, "too-many", f"The form has more than {limits.files} files; pack them.") from None
        if "Too many fields" in what:
            what = "Options belong in the address, as in /predict?level=0.8; the form holds files only."
        raise Problem(400, "wrong-body", f"The form cannot be read: {what}") from None
    try:
        if not parser.ended:
            raise Problem(400, "wrong-body", "The form is cut off; send it again.")
        return tuple([await _keep(file, folder) for _, file in form.multi_items() if isinstance(file, UploadFile)])
    finally:
        await form.close()


async def _keep(file: UploadFile, folder: Path) -> Upload:
    path = _place(folder)
    with path.open("xb") as out:
        while part := await file.read(1 << 20):
            out.write(part)
    return Upload(str(path), _shown(file.filename or "upload"))


async def _single(body: AsyncIterator[bytes], folder: Path, name: str, kind: str) -> Upload:
    path = _place(folder)
    size = 0
    with path.open("xb") as out:
        async for part in body:
            size += out.write(part)
    if not size:
        raise Problem(400, "no-files", "The body is empty; send files (curl -F file=@crystal.cif), JSON, or one file.")
    document = kind == "application/json"
    return Upload(str(path), _shown(name) or ("request.json" if document else "upload"), document)


def _place(folder: Path) -> Path:
    return folder / secrets.token_hex(16)


def _shown(name: str) -> str:
    """Return a name as answers show it: it cannot steer a terminal, and is not endless; its end tells the format."""
    return printable(name)[-LONGEST_NAME:]
