"""An in-memory task state store with the interface of Airflow 3.3's."""

from __future__ import annotations

import json
from typing import Any


class DictStore:
    """A task state store that holds JSON values and counts the writes."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.writes = 0

    def get(self, key: str) -> Any:
        return json.loads(self.texts[key]) if key in self.texts else None

    def set(self, key: str, value: Any) -> None:
        if value is None:
            raise ValueError("as Airflow's")
        self.writes += 1
        self.texts[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.texts.pop(key, None)
