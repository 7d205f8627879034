"""Templates that hold a version, such as "/api/v{version}": compiled once, matched in linear time.

What a placeholder caught is a version when it looks like one; then the grammar decides whether it is well-formed. So "/v01" is a
malformed version, while "/videos" and "/v1x" are simply other paths.
"""

from __future__ import annotations

import re

from interservice.options import check, text

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
#: All that `int()` or a lenient parser might take for a version (signs, blanks, underscores, other digits) is an attempt.
_SHAPE = re.compile(r"[\s+\-]*\d+(?:[.\-_\s].*)?", re.DOTALL)


def compile_template(option: str, template: object, *, version: str, other: str, tail: str) -> re.Pattern[str]:
    r"""A pattern with the group "version" for `template`.

    Args:
        option: What to call the template in errors.
        template: Text with exactly one {version}, and any number of other {names}.
        version: The pattern of what {version} stands for.
        other: The pattern of what another placeholder stands for.
        tail: The pattern of what must follow, such as "(?=/|\Z)".

    Raises:
        ConfigurationError: The template has not exactly one {version}, or a stray brace.
    """
    text(option, template)
    parts = _PLACEHOLDER.split(str(template))
    literals, names = parts[::2], parts[1::2]
    check(names.count("version") == 1, option, "a template with exactly one {version}", template)
    check(not any(brace in literal for literal in literals for brace in "{}"), option, "free of other braces", template)
    pieces = [re.escape(literals[0])]
    for name, literal in zip(names, literals[1:], strict=True):
        pieces += [f"(?P<version>{version})" if name == "version" else f"(?:{other})", re.escape(literal)]
    return re.compile("".join(pieces) + tail, re.DOTALL)


def looks_like_a_version(caught: str) -> bool:
    """Whether what a placeholder caught was meant as a version, well-formed or not."""
    return _SHAPE.fullmatch(caught) is not None
