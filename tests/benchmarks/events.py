"""Events of about 300 bytes each."""

from __future__ import annotations

from typing import Any


def events(count: int) -> list[dict[str, Any]]:
    """Return so many events."""
    return [event(number) for number in range(count)]


def event(number: int) -> dict[str, Any]:
    """Return one event."""
    return {
        "Source": "com.company.app",
        "DetailType": "appRequestSubmitted",
        "Detail": {"number": number, "key1": "value1", "text": "x" * 190},
        "Resources": ["arn:aws:s3:::company-app/orders/2026/11/23"],
    }
