"""The service's settings, from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where things are, and who this service is."""

    issuer: str
    invoices_endpoints: tuple[str, ...]
    client_id: str
    client_secret: str
    database: Path
    statsd: str | None = None
    access_log: Path | None = None
    drain_file: Path | None = None
    faults: Path | None = None
    max_concurrent: int = 64

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """The settings that an environment gives; the README lists the names. A KeyError names what is missing."""
        return cls(
            issuer=environ["ISSUER"],
            invoices_endpoints=tuple(environ["INVOICES_ENDPOINTS"].replace(",", " ").split()),
            client_id=environ["CLIENT_ID"],
            client_secret=environ["CLIENT_SECRET"],
            database=Path(environ.get("ORDERS_DB", "orders.sqlite3")),
            statsd=environ.get("STATSD") or None,
            access_log=_path(environ, "ACCESS_LOG"),
            drain_file=_path(environ, "DRAIN_FILE"),
            faults=_path(environ, "ORDERS_FAULTS_FILE"),
            max_concurrent=int(environ.get("MAX_CONCURRENT", "64")),
        )


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None
