"""Files with past events."""

from pathlib import Path
from typing import Any

HEADER = "event_name,customer_external_id,invoice_id,amount,currency,timestamp,click_id"
SALE: dict[str, Any] = {
    "event_name": "Purchase",
    "customer_external_id": "user_1",
    "invoice_id": "inv_1",
    "amount": "4999",
    "currency": "EUR",
    "timestamp": "2026-01-31T12:00:00Z",
    "click_id": "click_1",
}


def sale_line(number: int, **changes: str) -> str:
    """Return a valid line of CSV, with the given changes."""
    own = {"customer_external_id": f"user_{number}", "invoice_id": f"inv_{number}"}
    return ",".join({**SALE, **own, **changes}.values())


def write_sales(folder: Path, numbers: "range | list[int]", *more: str) -> Path:
    """Write a CSV file with valid sales and more lines."""
    path = folder / "sales.csv"
    lines = [HEADER, *(sale_line(number) for number in numbers), *more]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
