"""Event patterns compared with AWS's recorded answers, which lie beside the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_cwevents.patterns import EventPattern
from tests.patterns.helpers import rejection

VERDICTS_FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "event_patterns.json"
VERDICTS: list[dict[str, Any]] = json.loads(VERDICTS_FILE.read_text()) if VERDICTS_FILE.exists() else []
REASON = "Event pattern is not valid. Reason: "


@pytest.mark.skipif(
    not VERDICTS,
    reason="the 76 recorded answers of AWS are not part of this repository: LocalStack's test suite has them, see "
    "https://github.com/localstack/localstack/tree/main/tests/aws/services/events/event_pattern_templates",
)
@pytest.mark.parametrize("case", VERDICTS, ids=[case["name"] for case in VERDICTS])
def test_verdict_is_that_of_aws(case: dict[str, Any]) -> None:
    if case["expect"] == "error":
        assert REASON + rejection(case["pattern"]).reason == case["reason"]
        assert REASON + rejection(json.dumps(case["pattern"])).reason == case["reason"]
    else:
        assert EventPattern(case["pattern"]).matches(case["event"]) is (case["expect"] == "match")
        assert EventPattern(json.dumps(case["pattern"])).matches(case["event"]) is (case["expect"] == "match")
