"""Routes of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse
from pydantic import Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response

import paraisite
from paraisite.crystals.formats import titles
from paraisite.crystals.sites import Disorder
from paraisite.physics.temperature import HIGHEST, LOWEST
from paraisite.prediction.options import Options
from paraisite.prediction.write import json_object
from paraisite.targets import LEVEL
from paraisite.web import examples
from paraisite.web.answers import MEDIA_TYPES, Form, Lines, negotiated, write_table
from paraisite.web.columns import CIF, row_schema
from paraisite.web.columns import described as described_columns
from paraisite.web.jobs import Job
from paraisite.web.problems import Problem, described
from paraisite.web.service import Service
from paraisite.web.uploads import receive
from paraisite.web.visit import Visit

MOST = 50
"""Temperatures, and properties, of a request."""

DIGITS = 6
"""Significant digits of a temperature: as many as the name of its column has."""

T = TypeVar("T")


def options(
    level: Annotated[
        float, Query(gt=0, lt=1, description="Nominal coverage of the interval, as far as the calibration supports it.")
    ] = LEVEL,
    temperatures: Annotated[
        list[Annotated[float, Field(ge=LOWEST, le=HIGHEST)]] | None,
        Query(
            description=f"Also predict kappa at these temperatures in K ({LOWEST:g} to {HIGHEST:g}), with intervals.",
            max_length=MOST,
            examples=[[300, 600]],
        ),
    ] = None,
    tensor: Annotated[bool, Query(description="Also predict kappa along x, y and z of the standard setting.")] = False,
    properties: Annotated[
        list[str] | None,
        Query(description="Further properties to predict; `/models/{name}` lists them.", max_length=MOST),
    ] = None,
    allow_vacuum: Annotated[
        bool, Query(description="Predict slabs, wires and molecules in vacuum, too, with a warning.")
    ] = False,
    held_out: Annotated[bool, Query(description="Use only ensemble members not trained on the formula.")] = False,
    chart: Annotated[bool, Query(description="Also give the place on the chart of known compounds.")] = False,
) -> Options:
    """Return what the query asks for.

    Raises
    ------
    Problem
        If a temperature is outside of the range.
    """
    asked = tuple(dict.fromkeys(float(f"{t:.{DIGITS}g}") for t in temperatures or ()))
    try:
        named = tuple(dict.fromkeys(properties or ()))
        return Options(level, named, asked, tensor, held_out, allow_vacuum, chart=chart)
    except ValueError as error:
        raise Problem(422, "wrong-option", str(error)) from None


OptionsQuery = Annotated[Options, Depends(options)]

StructureQuery = Annotated[bool, Query(description="Also give the structure as CIF.")]


def routes(service: Service) -> APIRouter:
    """Return the routes of the API."""
    router = APIRouter()

    @router.post(
        "/predict",
        summary="Predict crystals",
        response_class=Response,
        responses={200: _answers(), **described(400, 401, 403, 406, 408, 413, 415, 422, 503)},
        openapi_extra={"requestBody": examples.BODY},
    )
    async def predict(
        request: Request,
        asked: OptionsQuery,
        structure: StructureQuery = False,
        disorder: Annotated[
            Disorder, Query(description="Reject disordered crystals, or use the majority species of each site.")
        ] = "reject",
        format: Annotated[Form | None, Query(description="Of the answer; by default what Accept prefers.")] = None,
        name: Annotated[str, Query(description="Name of a body that is one file.", max_length=1000)] = "",
        accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
    ) -> Response:
        """Give one row for each structure of the files, in order.

        NDJSON is streamed while it is computed; if the work then fails, its last line is an object with the key
        `problem`.
        """
        visit: Visit = request.scope["visit"]
        form = format or negotiated(accept)
        pool, limits = service.pool, service.limits
        if not visit.enter(pool.workers + limits.waiting):
            raise Problem(503, "busy", "Too many requests wait already; try again soon.", retry_after=2)
        uploads = await receive(request, visit, limits, name)
        if not uploads:
            raise Problem(400, "no-files", "The form has no files; send them as -F file=@crystal.cif.")
        columns = (*asked.columns, CIF) if structure else asked.columns
        rows = pool.rows(Job(uploads, asked, disorder, structure))
        await _unless_gone(request, anext(rows))  # an impossible option is a problem before any row is
        media_type = MEDIA_TYPES[form]
        if form is not Form.ndjson:
            path = await _unless_gone(request, write_table(rows, columns, form, visit))
            return FileResponse(path, media_type=media_type, filename=path.name, content_disposition_type="inline")
        lines = Lines(rows, columns, visit)
        visit.start(asyncio.create_task(lines.write()))
        return StreamingResponse(lines.read(), media_type=media_type)

    @router.get("/models", summary="Models", responses=described(401))
    def models() -> list[dict[str, Any]]:
        """List the models of the registry; `served` marks the one that predicts."""
        return list(service.models().values())

    @router.get("/models/{name}", summary="A model's card", responses=described(401, 404, 422))
    def model(name: Annotated[str, Path(examples=["kappa"])]) -> dict[str, Any]:
        """Give the facts of a model, with its card if it is the one that predicts."""
        facts = service.model_facts(name)
        if facts is None:
            raise Problem(404, "no-such-model", f"There are {', '.join(service.models())}.")
        return facts

    @router.get("/health", summary="Health", responses=described(503))
    def health() -> dict[str, Any]:
        """Say whether predictions are possible; needs no token."""
        if not service.pool.ready:
            raise Problem(503, "starting", "No worker is ready.", retry_after=5)
        return {
            "status": "ok",
            "version": paraisite.__version__,
            "model": service.name,
            "workers": service.pool.workers,
            "ready": service.pool.ready,
        }

    @router.get("/limits", summary="Limits", responses=described(401))
    def limits() -> dict[str, Any]:
        """Say what a request may hold, and which formats are read and written."""
        return asdict(service.limits) | {
            "workers": service.pool.workers,
            "temperatures_K": [LOWEST, HIGHEST],
            "temperatures": MOST,
            "highest_level": service.pool.facts.get("highest_level"),
            "formats_in": titles(),
            "formats_out": list(Form),
        }

    @router.get("/columns", summary="Columns", responses=described(401, 422))
    def columns(asked: OptionsQuery, structure: StructureQuery = False) -> list[dict[str, Any]]:
        """Describe the columns of a prediction with these options: name, type, unit and meaning."""
        return described_columns((*asked.columns, CIF) if structure else asked.columns)

    @router.get("/known", summary="Known compounds", responses=described(401))
    def known() -> dict[str, list[Any]]:
        """List the compounds whose conductivity the model knows, as columns, with their places on the chart.

        The chart is the plane of the first two principal components of the descriptors in which the model measures
        distances; `share_of_variance` says how much of the variance lies along each.
        """
        return service.pool.known

    @router.get("/examples", summary="Example crystals", responses=described(401))
    def example_crystals() -> list[dict[str, str]]:
        """Give the crystals that ship with ParAIsite, as CIF."""
        return examples.crystals()

    @router.get("/results", summary="Results", responses=described(401))
    def facts() -> dict[str, Any]:
        """Say what the service was started with: a table of predictions, what was verified, both, or nothing."""
        return service.results.facts

    @router.get("/results/rows", summary="Rows of the results", response_class=Response, responses=described(401))
    def result_rows() -> StreamingResponse:
        """Give the rows, as lines of JSON."""

        def lines() -> Iterator[str]:
            names = service.results.columns()
            for row in service.results.rows:
                yield json_object(row, names) + "\n"

        return StreamingResponse(lines(), media_type=MEDIA_TYPES[Form.ndjson])

    @router.get(
        "/results/rows/{row}/structure",
        summary="Structure of a row",
        response_class=PlainTextResponse,
        responses=described(401, 404, 422),
    )
    def result_structure(row: Annotated[int, Path(ge=0)]) -> PlainTextResponse:
        """Give the structure of a row as CIF, read again from where it came."""
        found = service.results.structure(row) if row < len(service.results.rows) else None
        if found is None:
            raise Problem(404, "no-structure", "The structure is not where the table says; it may have been moved.")
        return PlainTextResponse(found)

    return router


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Wait for some work, and give it up if the client goes."""
    doing = asyncio.ensure_future(work)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnect
        return doing.result()
    finally:
        gone.cancel()
        doing.cancel()
        await asyncio.gather(gone, doing, return_exceptions=True)


async def _gone(request: Request) -> None:
    """Wait until the client is gone; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answers() -> dict[str, Any]:
    row = row_schema()
    schemas: dict[Form, dict[str, Any]] = {
        Form.json: {"type": "array", "items": row},
        Form.ndjson: {"type": "string", "description": "A row of JSON in each line."},
        Form.csv: {"type": "string"},
        Form.parquet: {"type": "string", "format": "binary"},
    }
    content: dict[str, dict[str, Any]] = {
        kind.partition(";")[0]: {"schema": schemas[form]} for form, kind in MEDIA_TYPES.items()
    }
    content[MEDIA_TYPES[Form.json]]["example"] = [examples.ROW]
    return {"description": "One row for each structure, in order.", "content": content}
