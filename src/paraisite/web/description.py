"""`description`: the API as a page without scripts, made from its OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def description(document: Mapping[str, Any]) -> str:
    """Return a page of HTML that lists the operations of an OpenAPI document."""
    info = document["info"]
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}: API</title>"
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/style.css"></head><body><main>'
        f"<h1>{escape(info['title'])}: API</h1><p>{escape(info['description'])}</p>"
        '<p>For programs: <a href="/api/v1/openapi.json">openapi.json</a>.</p>'
        f"{operations}</main></body></html>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('description', ''))}</p>"]
    if parameters := operation.get("parameters"):
        lines = "".join(
            f"<dt><code>{escape(p['name'])}</code></dt><dd>{escape(p.get('description', ''))}</dd>" for p in parameters
        )
        parts.append(f"<h3>Parameters</h3><dl>{lines}</dl>")
    if content := operation.get("requestBody", {}).get("content"):
        parts.append(f"<h3>Body</h3><p>{', '.join(f'<code>{escape(kind)}</code>' for kind in content)}</p>")
    if content := operation["responses"].get("200", {}).get("content"):
        parts.append(f"<h3>Answer</h3><p>{', '.join(f'<code>{escape(kind)}</code>' for kind in content)}</p>")
    return "".join(parts)
