"""Orders in sqlite: one file that every worker and instance of the service shares."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TABLE = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, sku TEXT NOT NULL,
    quantity INTEGER NOT NULL, cents INTEGER NOT NULL, invoice TEXT
)
"""
_ADD = "INSERT INTO orders (id, customer, sku, quantity, cents, invoice) VALUES (?, ?, ?, ?, ?, ?)"
_ONE = "SELECT id, customer, sku, quantity, cents, invoice FROM orders WHERE id = ?"
_NEWEST = "SELECT id, customer, sku, quantity, cents, invoice FROM orders ORDER BY rowid DESC LIMIT ?"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order of one product. Money is in cents."""

    id: str
    customer: str
    sku: str
    quantity: int
    cents: int
    invoice: str | None = None

    @property
    def total(self) -> int:
        """What the order costs, in cents."""
        return self.quantity * self.cents


class Orders:
    """The table of orders. A connection lasts for one statement, so that threads and forks share nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connect() as db, db:
            # The mode stays with the file. Who loses the race to set it is told at once that the file is locked, and need not.
            with suppress(sqlite3.OperationalError):
                db.execute("PRAGMA journal_mode=WAL")
            db.execute(_TABLE)

    def add(self, order: Order) -> None:
        """Store a new order."""
        with self._connect() as db, db:
            db.execute(_ADD, astuple(order))

    def find(self, order_id: str) -> Order | None:
        """The order of an id, or None."""
        with self._connect() as db:
            row = db.execute(_ONE, (order_id,)).fetchone()
        return None if row is None else _order(row)

    def newest(self, limit: int) -> list[Order]:
        """Up to `limit` orders, the newest first."""
        with self._connect() as db:
            rows = db.execute(_NEWEST, (limit,)).fetchall()
        return [_order(row) for row in rows]

    def _connect(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self._path, timeout=5.0))


def _order(row: tuple[str, str, str, int, int, str | None]) -> Order:
    order_id, customer, sku, quantity, cents, invoice = row
    return Order(id=order_id, customer=customer, sku=sku, quantity=quantity, cents=cents, invoice=invoice)
