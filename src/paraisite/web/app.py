"""The application: the API and the page behind one gate."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

import paraisite
from paraisite.web import api, problems
from paraisite.web.description import description
from paraisite.web.service import Service
from paraisite.web.visit import Gate, House

API = "/api/v1"

STATIC = Path(str(files("paraisite.web"))) / "static"

ABOUT = (
    "Each structure found in the files gives one row, in order. A structure or file that cannot be used gives a row, "
    "too, with the status `rejected` and a reason. Errors of a whole request are problems of RFC 9457."
)


def application(service: Service, house: House, *, hosts: frozenset[str] = frozenset(), token: str = "") -> Gate:
    """Return the ASGI application.

    Parameters
    ----------
    service : Service
    house : House
    hosts : frozenset of str
        Names under which it may be asked; empty for any.
    token : str
        What requests must carry; empty for none.
    """
    app = FastAPI(
        title="ParAIsite",
        version=paraisite.__version__,
        summary="Crystal structures in, lattice thermal conductivity out, with an interval.",
        description=ABOUT,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # these two load scripts from other sites
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    app.include_router(api.routes(service), prefix=API)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/api", include_in_schema=False)
    def described() -> HTMLResponse:
        return HTMLResponse(description(app.openapi()))

    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    def needs_no_token(path: str) -> bool:
        return not path.startswith(f"{API}/") or path in (f"{API}/health", f"{API}/openapi.json")

    return Gate(app, house, hosts, token, needs_no_token, service.limits.upload_seconds)
