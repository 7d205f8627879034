"""How Sphinx builds these pages. No network: what other projects document is named, not linked."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util.nodes import make_refnode

sys.path.insert(0, str(Path(__file__).parent))
from tables import filled

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "interservice"
author = "interservice contributors"
copyright = "2026, interservice contributors"
version = release = metadata.version("interservice")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "interservice"
html_static_path = ["_static"]
html_css_files = ["diagrams.css"]

autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
maximum_signature_line_length = 100
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

# Types in signatures link to where they are documented, if they are; what is written as a role must resolve.
nitpick_ignore_regex = [("py:(class|exc|obj|data|attr)", ".*")]


def _documented_elsewhere(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """The page of a public name that an annotation gives by the module it is defined in."""
    name = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not name.startswith("interservice."):
        return None
    last = name.rpartition(".")[2]
    domain = env.domains.python_domain
    found = sorted((public for public in domain.objects if public.rpartition(".")[2] == last and public != name), key=len)
    if not found:
        return None
    entry = domain.objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, found[0])


_BACKTICKS = re.compile(r"(?<![`:])(`[^`]+`)(?![`_])")
_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields|Examples?|Note):$")


def _as_written(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Read docstrings as people do: backticks are code, asterisks are asterisks, and an indented paragraph is code."""
    written, lines[:] = list(lines), []
    section = False
    for number, line in enumerate(written):
        if line and not line.startswith(" "):
            section = _SECTION.match(line) is not None
        indented = line.startswith("    ") and not section
        begins = (
            number > 1 and not written[number - 1] and not next((said for said in reversed(lines) if said), "").startswith(" ")
        )
        if indented and begins and not written[number - 2].endswith("::"):
            lines.extend(["::", ""])
        lines.append(line if indented else _marked(line))


def _marked(line: str) -> str:
    """A line of prose with code in double backticks and with no emphasis."""
    parts = _BACKTICKS.split(line)
    return "".join(f"`{part}`" if place % 2 else part.replace("*", "\\*") for place, part in enumerate(parts))


def _with_tables(app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = filled(source[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _as_written, priority=400)  # napoleon comes at 500
    app.connect("missing-reference", _documented_elsewhere)
    app.connect("source-read", _with_tables)
