"""Django system checks of the set-up, each with a stable id.

interservice.E001  INTERSERVICE_GATE is missing or does not lead to a Gate
interservice.E002  interservice.django.Middleware stands twice in MIDDLEWARE
interservice.W001  INTERSERVICE_GATE is set, but the middleware is not in MIDDLEWARE: nothing is protected
interservice.W002  other middleware stands before it: what it answers is neither checked nor logged
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own name
from django.core.exceptions import ImproperlyConfigured

from .setting import SETTING, configured_gate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIDDLEWARE = "interservice.django.Middleware"
_PATHS = frozenset({MIDDLEWARE, "interservice.django.middleware.Middleware"})
#: These only look at the response or redirect before anything is read; Django's own advice puts them first.
_HARMLESS_BEFORE = frozenset({"django.middleware.security.SecurityMiddleware", "whitenoise.middleware.WhiteNoiseMiddleware"})


def check_setup(**_: Any) -> list[CheckMessage]:
    """All checks; registered by the app "interservice.django"."""
    installed = [path for path in settings.MIDDLEWARE if path in _PATHS]
    return [*_gate(used=bool(installed)), *_order(installed, settings.MIDDLEWARE)]


def _gate(*, used: bool) -> Iterator[CheckMessage]:
    if getattr(settings, SETTING, None) is None and not used:
        return
    try:
        configured_gate()
    except ImproperlyConfigured as error:
        yield Error(
            str(error), hint=f'Set {SETTING} to a Gate or its dotted path, such as "shop.gate.gate".', id="interservice.E001"
        )
    if not used:
        yield Warning(
            f"{SETTING} is set, but {MIDDLEWARE} is not in MIDDLEWARE: nothing is protected.",
            hint=f'Put "{MIDDLEWARE}" first in MIDDLEWARE.',
            id="interservice.W001",
        )


def _order(installed: Sequence[str], middleware: Sequence[str]) -> Iterator[CheckMessage]:
    if len(installed) > 1:
        yield Error(f"{MIDDLEWARE} stands {len(installed)} times in MIDDLEWARE.", hint="Keep the first.", id="interservice.E002")
    if not installed:
        return
    before = [path for path in middleware[: list(middleware).index(installed[0])] if path not in _HARMLESS_BEFORE]
    if before:
        yield Warning(
            f"{', '.join(before)} before {MIDDLEWARE}: what they answer is neither checked nor logged.",
            hint=f'Put "{MIDDLEWARE}" first in MIDDLEWARE.',
            id="interservice.W002",
        )
