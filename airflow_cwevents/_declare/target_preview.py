"""
What a target receives for an event, computed locally.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_cwevents._aws.json_text import to_json_text
from airflow_cwevents._declare.event_paths import MISSING, value_at
from airflow_cwevents._declare.input_templates import Occurrence, parse_template
from airflow_cwevents._declare.target_spec import normalised_input
from airflow_cwevents.exceptions import InvalidInputError

_EXAMPLE_RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/NAME"


def preview_target_input(
    target: Mapping[str, Any],
    event: Mapping[str, Any],
    *,
    rule_arn: str = _EXAMPLE_RULE_ARN,
    ingestion_time: datetime | None = None,
) -> str | None:
    """
    Return what a target receives for an event that the rule matches.

    :param target: the target, with AWS's member names; only ``Input``, ``InputPath`` and ``InputTransformer`` count.
    :param event: the event as it is delivered, with ``source``, ``detail-type``, ``detail`` and so on.
    :param rule_arn: the rule's ARN, for the predefined variables.
    :param ingestion_time: when EventBridge received the event, likewise; None for now.
    :return: the text that the target receives; None if AWS delivers nothing, as a placeholder in quotes stands for an
        object or a list.
    :raises InvalidInputError: if AWS would refuse the target's input.
    """
    if not isinstance(event, Mapping):
        raise InvalidInputError("event", "it is not a JSON object", "Pass the event as it is delivered", event)
    received = {**target, **normalised_input(target)}
    if received.get("Input") is not None:
        return str(received["Input"])
    if received.get("InputPath") is not None:
        value = value_at(received["InputPath"], event)
        return to_json_text("" if value is MISSING else value)
    if received.get("InputTransformer") is not None:
        variables = _variables(event, rule_arn, ingestion_time or datetime.now(UTC))
        return _rendered(received["InputTransformer"], event, variables)
    return to_json_text(event)


def _variables(event: Mapping[str, Any], rule_arn: str, ingestion_time: datetime) -> dict[str, Any]:
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": f"{ingestion_time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }


def _rendered(transformer: Mapping[str, Any], event: Mapping[str, Any], variables: Mapping[str, Any]) -> str | None:
    template = parse_template(transformer["InputTemplate"], "InputTransformer.InputTemplate")
    paths = transformer.get("InputPathsMap") or {}
    values = {**variables, **{name: value_at(path, event) for name, path in paths.items()}}
    if any(each.quoted and _is_undeliverable(each.name, values.get(each.name)) for each in template.occurrences):
        return None
    bare_strings = template.form in ("object", "value")

    def text_of(occurrence: Occurrence) -> str:
        value = values.get(occurrence.name, MISSING)
        value = "" if value is MISSING else value
        plain = value if isinstance(value, str) else to_json_text(value)
        if occurrence.quoted:
            return json.dumps(plain, ensure_ascii=False)[1:-1]
        return to_json_text(value) if bare_strings else plain

    return template.replaced(text_of)


def _is_undeliverable(name: str, value: object) -> bool:
    # AWS escapes this variable, which is JSON, so that it can be part of a string
    return name != "aws.events.event" and isinstance(value, Mapping | list)
