"""Values as text of a configuration: quoted, or refused where the server's grammar has no way to say them.

Nothing here trusts its caller: what reaches a file has passed one of these functions or `edge.check_path`.
"""

from __future__ import annotations

from interservice.errors import ConfigurationError

_PRINTABLE = range(0x20, 0x7F)


def printable(option: str, value: str) -> str:
    """`value`, of printable ASCII; a line's end or a control character would begin something new.

    Raises:
        ConfigurationError: It is not.
    """
    if not all(ord(character) in _PRINTABLE for character in value):
        raise ConfigurationError(f"{option} must be printable ASCII to stand in a configuration, not {value!r}")
    return value


def nginx_string(option: str, value: str) -> str:
    """A quoted string of NGINX in which nothing is a variable.

    Raises:
        ConfigurationError: It holds "$", which NGINX cannot escape, or is not printable.
    """
    if "$" in printable(option, value):
        raise ConfigurationError(f"{option} must be free of '$' to stand in NGINX' configuration, not {value!r}")
    return nginx_text(value)


def nginx_text(value: str) -> str:
    """A quoted string of NGINX; "$" begins a variable, or ends a regular expression."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def haproxy_string(option: str, value: str) -> str:
    """A strongly quoted argument of HAProxy: no variable, no escape.

    Raises:
        ConfigurationError: It is not printable.
    """
    return "'" + printable(option, value).replace("'", "'\\''") + "'"


def caddy_string(option: str, value: str) -> str:
    """A quoted token of a Caddyfile in which nothing is a placeholder.

    Raises:
        ConfigurationError: It holds "{" or "`", or is not printable.
    """
    if "{" in printable(option, value) or "`" in value:
        raise ConfigurationError(f"{option} must be free of '{{' and '`' to stand in a Caddyfile, not {value!r}")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def caddy_raw(option: str, value: str) -> str:
    """A token of a Caddyfile between backticks, in which nothing is escaped; for regular expressions.

    Raises:
        ConfigurationError: It holds a backtick, or is not printable.
    """
    if "`" in printable(option, value):
        raise ConfigurationError(f"{option} must be free of '`' to stand in a Caddyfile, not {value!r}")
    return f"`{value}`"
