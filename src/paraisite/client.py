"""`Client`: a service that `paraisite serve` runs, asked from Python.

Examples
--------
>>> from paraisite.client import Client
>>> client = Client("http://127.0.0.1:8000")                              # doctest: +SKIP
>>> client.predict(["Si.cif"], temperatures=[300, 600])                   # doctest: +SKIP
>>> for row in client.stream(structures=[structure], level=0.8): ...      # doctest: +SKIP
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

PAUSE = 30.0
"""Longest pause in seconds before a busy service is asked again."""


class ServiceError(RuntimeError):
    """A service refuses a request, fails, or cannot be reached; the message says what to do.

    Attributes
    ----------
    status : int
        Of HTTP; 0 where there was no answer.
    code : str
        Kind of problem.
    """

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Client:
    """A service.

    Parameters
    ----------
    url : str
        Address, as `paraisite serve` prints it.
    token : str, optional
        Where the service requires one.
    timeout : float
        Seconds without any sign of the service after which it counts as lost.
    attempts : int
        How often a request is made while the service is busy.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", *, token: str = "", timeout: float = 600.0, attempts: int = 5
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout, self._attempts = timeout, attempts
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment does not know this machine
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}".encode().decode("latin-1")  # as it is sent

    def predict(
        self, files: Iterable[str | Path] = (), structures: Iterable[Any] = (), **options: Any
    ) -> list[dict[str, Any]]:
        """Return one row for each structure, in order; see `stream`."""
        return list(self.stream(files, structures, **options))

    def stream(
        self, files: Iterable[str | Path] = (), structures: Iterable[Any] = (), **options: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the row of each structure as soon as it is computed.

        Parameters
        ----------
        files : iterable of str or Path
            Of any format that `paraisite predict` reads, and archives of them.
        structures : iterable
            Instead of files: pymatgen Structures, ase Atoms, their dictionaries, or texts of CIF or POSCAR.
        **options
            ``level``, ``temperatures`` (in K), ``tensor``, ``properties``, ``disorder``, ``allow_vacuum`` and
            ``held_out``, as of `paraisite predict`; ``structure`` adds a CIF, ``chart`` the place on the chart.

        Raises
        ------
        ServiceError
            If the service refuses the request, fails, or ends before the last row.
        ValueError
            If there is nothing to predict, or both files and structures.
        TypeError
            If a structure is none.
        """
        paths = [Path(file) for file in ([files] if isinstance(files, (str, Path)) else files)]
        documents = [document(structure) for structure in structures]
        if bool(paths) == bool(documents):
            raise ValueError("give files or structures")
        with ExitStack() as stack:
            body: dict[str, Any] = {"json": {"structures": documents}}
            if paths:
                body = {"files": [("file", (path.name, stack.enter_context(path.open("rb")))) for path in paths]}
            params = {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}
            answer = self._ask(
                "POST", "predict", params=params, headers={"Accept": "application/x-ndjson"}, stream=True, **body
            )
            stack.callback(answer.close)
            try:
                for line in answer.iter_lines(delimiter=b"\n"):
                    if line:
                        row = json.loads(line)
                        if "problem" in row:
                            raise _error(row["problem"])
                        yield row
            except (requests.RequestException, ValueError) as error:
                raise ServiceError(f"{self.url} stopped before the last row ({error}); repeat the request") from error

    def health(self) -> dict[str, Any]:
        """Say whether predictions are possible, and by which model."""
        return self._ask("GET", "health").json()

    def limits(self) -> dict[str, Any]:
        """Say what a request may hold."""
        return self._ask("GET", "limits").json()

    def models(self) -> list[dict[str, Any]]:
        """List the models; ``served`` marks the one that predicts."""
        return self._ask("GET", "models").json()

    def model(self, name: str) -> dict[str, Any]:
        """Return what is known of a model."""
        return self._ask("GET", f"models/{quote(name, safe='')}").json()

    def columns(self, **options: Any) -> list[dict[str, Any]]:
        """Describe the columns of a prediction with these options."""
        return self._ask("GET", "columns", params=options).json()

    def _ask(self, method: str, path: str, **how: Any) -> requests.Response:
        """Make a request, and repeat it while the service is busy."""
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._session.request(method, f"{self.url}/api/v1/{path}", timeout=self._timeout, **how)
            except requests.RequestException as error:
                raise ServiceError(
                    f"{self.url} gives no answer ({error}); check that `paraisite serve` runs there, and the limit on "
                    "the size of a request"
                ) from error
            if answer.ok:
                return answer
            wait = answer.headers.get("Retry-After", "")
            if answer.status_code != 503 or not wait.isdigit() or attempt >= self._attempts:
                with answer:
                    try:
                        problem = answer.json()
                    except ValueError:
                        problem = {}
                raise _error({"status": answer.status_code, "detail": answer.reason} | problem)
            answer.close()
            for _, (_, file) in how.get("files", ()):
                file.seek(0)
            time.sleep(min(float(wait), PAUSE))


def document(structure: Any) -> Any:
    """Return a structure as JSON can hold it.

    Raises
    ------
    TypeError
        If it is none.
    """
    if isinstance(structure, (str, dict)):
        return structure
    if hasattr(structure, "as_dict") and hasattr(structure, "lattice"):
        return structure.as_dict()
    if hasattr(structure, "get_atomic_numbers") and hasattr(structure, "get_cell"):
        return {
            "numbers": structure.get_atomic_numbers().tolist(),
            "positions": structure.get_positions().tolist(),
            "cell": structure.get_cell()[:].tolist(),
            "pbc": structure.get_pbc().tolist(),
        }
    raise TypeError(
        f"a {type(structure).__name__} is not a structure; give pymatgen's or ase's, a dictionary or a text"
    )


def _error(problem: dict[str, Any]) -> ServiceError:
    return ServiceError(str(problem.get("detail")), int(problem.get("status", 0)), str(problem.get("code", "")))
