"""Who may do what: rules by method and path, the first match wins, and nothing matches by accident.

Rules are compiled into a tree of path segments, so that a look-up costs the same for three rules and for three thousand. Paths
that an application might read in another way than this module are refused before any rule is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from interservice.challenge import missing_any_scope, missing_roles, missing_scopes, stronger_authentication
from interservice.errors import ConfigurationError, Rejection
from interservice.http import TOKEN
from interservice.options import number, strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from interservice.clock import Clock
    from interservice.exchange import Identity
    from interservice.http import Request

_NEEDS = ("scopes", "any_scopes", "roles", "clients", "issuers", "acr")
_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}", re.ASCII)
_DOT_SEGMENT = re.compile(r"/\.\.?(?:/|$)")
_ENCODED = re.compile(r"%(?:2f|5c|00)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a request needs, by its method and path.

    Args:
        methods: One method, several, or "*" for all. GET includes HEAD.
        path: From "/", below the mount point and below a version prefix that was stripped. `{x}` is one non-empty segment;
            `/**` at the end is that path and everything below it. A slash at the end counts.
        scopes: All of these must be in the token.
        any_scopes: One of these must be.
        roles: One of these must be.
        clients: The token must be issued to one of these client ids.
        issuers: The token must be of one of these issuers.
        acr: The user must have authenticated in one of these ways (`acr`); otherwise the client is told to step up (RFC 9470).
        max_auth_age: The user must have authenticated (`auth_time`) at most this many seconds ago, or step up.
        public: Nothing is needed; who asks is known only if a valid token says so.

    Raises:
        ConfigurationError: An option makes no sense.
    """

    methods: str | Sequence[str]
    path: str
    scopes: Sequence[str] = field(default=(), kw_only=True)
    any_scopes: Sequence[str] = field(default=(), kw_only=True)
    roles: Sequence[str] = field(default=(), kw_only=True)
    clients: Sequence[str] = field(default=(), kw_only=True)
    issuers: Sequence[str] = field(default=(), kw_only=True)
    acr: Sequence[str] = field(default=(), kw_only=True)
    max_auth_age: float | None = field(default=None, kw_only=True)
    public: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        methods = (self.methods,) if isinstance(self.methods, str) else strings("Rule.methods", self.methods)
        if not methods or not all(TOKEN.fullmatch(method) for method in methods):
            raise ConfigurationError(f"Rule.methods must be methods or '*', not {self.methods!r}")
        object.__setattr__(self, "methods", tuple(method.upper() for method in methods))
        _check_pattern(self.path)
        for name in _NEEDS:
            object.__setattr__(self, name, strings(f"Rule.{name}", getattr(self, name)))
        number("Rule.max_auth_age", self.max_auth_age, at_least=0, optional=True)
        if self.public and (self.max_auth_age is not None or any(getattr(self, name) for name in _NEEDS)):
            raise ConfigurationError(f"Rule.public must not be set together with what a token needs ({self.path})")

    def refusal(self, principal: Identity, realm: str | None, clock: Clock) -> Rejection | None:
        """Why the principal may not, or None."""
        if (self.acr or self.max_auth_age is not None) and not self._authenticated(principal.claims, clock.time()):
            return stronger_authentication(realm, self.acr, self.max_auth_age)
        if self.scopes and not principal.scopes.issuperset(self.scopes):
            return missing_scopes(self.scopes, realm)
        if self.any_scopes and principal.scopes.isdisjoint(self.any_scopes):
            return missing_any_scope(self.any_scopes, realm)
        if self.roles and principal.roles.isdisjoint(self.roles):
            return missing_roles(realm)
        if (self.clients and principal.client_id not in self.clients) or (self.issuers and principal.issuer not in self.issuers):
            return forbidden()
        return None

    def _authenticated(self, claims: Mapping[str, Any], now: float) -> bool:
        """Whether the user authenticated as strongly and as lately as this needs."""
        if self.acr and claims.get("acr") not in self.acr:
            return False
        if self.max_auth_age is None:
            return True
        at = claims.get("auth_time")
        return isinstance(at, (int, float)) and not isinstance(at, bool) and now - at <= self.max_auth_age


def forbidden() -> Rejection:
    """403 for what no scope would open: no rule matches, or the client is not one of those named."""
    return Rejection("This is not allowed.", status=403, code="forbidden")


class Rules:
    """Compiled rules. Immutable.

    Raises:
        ConfigurationError: Something in the list is no `Rule`.
    """

    __slots__ = ("_root", "count")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._root = _Node()
        self.count = 0
        for position, rule in enumerate(rules):
            if not isinstance(rule, Rule):
                raise ConfigurationError(f"JWTAuth.rules must be Rules, not {rule!r}")
            self._root.plant(rule.path.split("/")[1:], position, rule)
            self.count = position + 1

    def match(self, method: str, path: str) -> Rule | None:
        """The first rule, in the order given, for this method and path; None when there is none."""
        if not path:
            path = "/"
        elif path[0] != "/":
            return None
        best: _Placed | None = None
        node = self._root
        segments = iter(path[1:].split("/"))
        for segment in segments:
            if node.below is not None:
                best = node.below.earlier(best, method)
            following = node.literals.get(segment)
            if node.variable is not None and segment:
                if following is not None:  # rarely is there more than one way to go on
                    return self._match_all(method, segments, [following, node.variable], best)
                following = node.variable
            if following is None:
                return None if best is None else best[1]
            node = following
        if node.here is not None:
            best = node.here.earlier(best, method)
        if node.below is not None:
            best = node.below.earlier(best, method)
        return None if best is None else best[1]

    def _match_all(self, method: str, segments: Iterable[str], nodes: list[_Node], best: _Placed | None) -> Rule | None:
        """Go on where the path so far leads to more than one place in the tree."""
        for segment in segments:
            following = []
            for node in nodes:
                if node.below is not None:
                    best = node.below.earlier(best, method)
                if (literal := node.literals.get(segment)) is not None:
                    following.append(literal)
                if node.variable is not None and segment:
                    following.append(node.variable)
            nodes = following
            if not nodes:
                break
        best = _ending(best, nodes, method)
        return None if best is None else best[1]


#: A rule with its place in the list.
_Placed = tuple[int, Rule]


class _Choice:
    """The rules that end at one place in the tree: for each method the earliest."""

    __slots__ = ("_any", "_by_method", "_rules")

    def __init__(self) -> None:
        self._rules: list[_Placed] = []
        self._any: _Placed | None = None
        self._by_method: dict[str, _Placed | None] = {}

    def add(self, position: int, rule: Rule) -> None:
        self._rules.append((position, rule))
        self._any = next((placed for placed in self._rules if "*" in placed[1].methods), None)
        named = {method for _, each in self._rules for method in each.methods} | {"HEAD"}
        self._by_method = {method: self._first(method) for method in named}

    def earlier(self, best: _Placed | None, method: str) -> _Placed | None:
        """The rule of this place for a method, if it comes before the best so far; else that."""
        placed = self._by_method.get(method, self._any)
        return placed if best is None or (placed is not None and placed[0] < best[0]) else best

    def _first(self, method: str) -> _Placed | None:
        wanted = {method, "*", "GET"} if method == "HEAD" else {method, "*"}
        return next((placed for placed in self._rules if wanted.intersection(placed[1].methods)), None)


class _Node:
    """One place in the tree of path segments."""

    __slots__ = ("below", "here", "literals", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.here: _Choice | None = None
        self.below: _Choice | None = None

    def plant(self, segments: Sequence[str], position: int, rule: Rule) -> None:
        node = self
        for segment in segments:
            if segment == "**":
                node.below = node.below or _Choice()
                node.below.add(position, rule)
                return
            if segment.startswith("{"):
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        node.here = node.here or _Choice()
        node.here.add(position, rule)


def _ending(best: _Placed | None, nodes: Iterable[_Node], method: str) -> _Placed | None:
    """The earliest of `best` and the rules that hold where a path ends."""
    for node in nodes:
        if node.here is not None:
            best = node.here.earlier(best, method)
        if node.below is not None:
            best = node.below.earlier(best, method)
    return best


def _check_pattern(path: object) -> None:
    if not isinstance(path, str) or not path.startswith("/"):
        raise ConfigurationError(f"Rule.path must start with '/', not {path!r}")
    if any(char in path for char in "<>?#"):
        raise ConfigurationError(f"Rule.path must be a path with {{id}} for a variable segment, without query, not {path!r}")
    if ambiguous(path):
        raise ConfigurationError(f"Rule.path must be free of '//', dot segments, ';' and '\\', not {path!r}")
    *before, last = path.split("/")[1:]
    for segment in (*before, "" if last == "**" else last):
        if ("*" in segment or "{" in segment or "}" in segment) and _VARIABLE.fullmatch(segment) is None:
            raise ConfigurationError(f"Rule.path must have whole segments like {{id}}, and '**' at its end alone, not {path!r}")


def ambiguous(path: str, request: Request | None = None) -> bool:
    """Whether a path may mean something else to the application or a proxy than it does to a rule.

    That is: an empty segment, a dot segment, a backslash, a parameter (";"), NUL, or an encoded slash, where the server tells
    how it was sent.
    """
    if "//" in path or ";" in path or "\\" in path or "\0" in path or ("/." in path and _DOT_SEGMENT.search(path)):
        return True
    if "%" in path and _ENCODED.search(path):
        return True
    return request is not None and request.has_encoded_slash
