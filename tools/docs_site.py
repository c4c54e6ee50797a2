"""What the site shows beyond docs/*.md; mkdocs calls these hooks (mkdocs.yml).

- A page may link to any file of the repository, relatively, as on a code host: the file becomes part of the site.
- Notebooks become pages, as they were committed; nothing is run.
- cli.md receives the help of every command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

import nbconvert
import nbformat
import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from paraisite.cli.main import app

ROOT = Path(__file__).parents[1]
ELSEWHERE = "repository/"
"""Where files from outside of docs/ lie on the site."""

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|[#/])(?P<target>[^)\s#]+)")
HELP = "<!-- help of every command -->"


def on_files(files: Files, *, config: MkDocsConfig) -> None:
    """Add pages of notebooks, and the files of the repository that pages link to."""
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        for uri, content in _converted(notebook):
            files.append(File.generated(config, uri, content=content))
    waiting = [file for file in files if file.is_documentation_page()]
    while waiting:
        page = waiting.pop()
        for linked in _links(page):
            uri = ELSEWHERE + linked
            if linked.startswith("docs/") or files.get_file_from_path(uri):
                continue
            added = File.generated(config, uri, content=(ROOT / linked).read_bytes())
            files.append(added)
            if added.is_documentation_page():
                waiting.append(added)


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at where the site has their files, and fill the page of the command line."""
    here = page.file.src_uri

    def moved(match: re.Match[str]) -> str:
        linked = _in_repository(here, match["target"])
        if not (ROOT / linked).is_file():
            return match[0]  # mkdocs reports it
        uri = _as_page(linked.removeprefix("docs/")) if linked.startswith("docs/") else ELSEWHERE + linked
        return relpath(uri, dirname(here) or ".")

    return LINK.sub(moved, markdown).replace(HELP, "\n".join(_help()))


def _links(page: File) -> Iterator[str]:
    """Files of the repository that a page links to."""
    for match in LINK.finditer(page.content_string):
        linked = _in_repository(page.src_uri, match["target"])
        if (ROOT / linked).is_file():
            yield linked


def _in_repository(uri: str, target: str) -> str:
    """Path, in the repository, of what a page of the site links to."""
    path = uri.removeprefix(ELSEWHERE) if uri.startswith(ELSEWHERE) else f"docs/{uri}"
    return normpath(join(dirname(path), target))


def _as_page(uri: str) -> str:
    return uri.removesuffix(".ipynb") + ".md" if uri.endswith(".ipynb") else uri


def _converted(file: File) -> Iterator[tuple[str, str | bytes]]:
    """Page of a notebook with its outputs, and its pictures: name on the site, and content."""
    notebook, path = nbformat.reads(file.content_string, as_version=4), Path(file.src_uri)
    markdown, made = nbconvert.MarkdownExporter().from_notebook_node(notebook, {"unique_key": path.stem})
    yield _as_page(file.src_uri), f'{markdown}\n<a href="{path.name}" download>This page as a notebook</a>\n'
    for name, content in made["outputs"].items():
        yield path.with_name(name).as_posix(), content


def _help() -> Iterator[str]:
    """Help of every command, as `--help` prints it."""
    root = typer.main.get_command(app)
    context = root.make_context("paraisite", [], resilient_parsing=True)
    waiting = [(root, context)]
    while waiting:
        command, context = waiting.pop(0)
        yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
        commands = getattr(command, "commands", {})
        waiting[:0] = [
            (child, child.make_context(name, [], parent=context, resilient_parsing=True))
            for name, child in commands.items()
        ]
