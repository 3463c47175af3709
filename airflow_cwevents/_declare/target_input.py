"""
What a target gets to see of an event: input paths and input transformers, checked.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_cwevents._aws.json_text import parse_json_text, to_json_text
from airflow_cwevents._aws.limits import MAX_INPUT_PATH_LENGTH, MAX_INPUT_PATHS, MAX_INPUT_TEMPLATE_LENGTH
from airflow_cwevents.exceptions import InvalidInputError

# Variables that AWS fills in itself. Those it does not know it refuses itself.
_RESERVED_PREFIX = "aws.events."
_JSON_EVENT = "aws.events.event.json"
_PLACEHOLDER = re.compile(r"(?<!\\)<([A-Za-z0-9_.\-]+)>")
_LOG_TEMPLATE = '{"timestamp": <time>, "message": <message>}'
_QUOTED_BRACKET = re.compile(r"\[\s*['\"]")


def check_input_path(path: object, place: str) -> None:
    """
    Check a JSON path into the event.

    :param path: the path, such as ``$.detail.state``.
    :param place: where it stands in the caller's input, for the error.
    :raises InvalidInputError: if AWS would refuse it.
    """
    remedy = "Begin with $ and name members with dots, such as '$.detail.state'"
    if not isinstance(path, str) or not path.startswith("$"):
        raise InvalidInputError(place, "it is not a JSON path", remedy, path)
    if _QUOTED_BRACKET.search(path):
        raise InvalidInputError(place, "AWS takes no quoted names in brackets", remedy, path)
    check_length(path, MAX_INPUT_PATH_LENGTH, place)


def check_length(text: str, limit: int, place: str) -> None:
    """
    Check how long a text is.

    :param text: the text.
    :param limit: the most characters.
    :param place: where it stands in the caller's input, for the error.
    :raises InvalidInputError: if it has more.
    """
    if len(text) > limit:
        raise InvalidInputError(place, f"it has {len(text)} characters, of at most {limit}", "Shorten it", text)


def normalise_input_transformer(transformer: object, place: str) -> dict[str, Any]:
    """
    Check an input transformer, and bring it into the form that AWS takes.

    :param transformer: a dict with ``InputTemplate``, as text or as what JSON can express, and ``InputPathsMap``.
    :param place: where it stands in the caller's input, for the error.
    :return: a new dict, with the template as text.
    :raises InvalidInputError: if AWS would refuse it.
    """
    if not isinstance(transformer, Mapping):
        raise InvalidInputError(place, "it is not a dict", "Give InputTemplate, and InputPathsMap", transformer)
    paths = transformer.get("InputPathsMap") or {}
    _check_paths(paths, f"{place}.InputPathsMap")
    template = _template_text(transformer.get("InputTemplate"), f"{place}.InputTemplate")
    _check_placeholders(template, paths, f"{place}.InputTemplate")
    given = {name: value for name, value in transformer.items() if value is not None}
    return {**given, "InputTemplate": template}


def check_log_input(target: Mapping[str, Any]) -> None:
    """
    Check what a CloudWatch log group gets to see: only a timestamp and a message are to be had there.

    https://github.com/aws/aws-cdk/pull/20748

    :param target: the target, with its template as text.
    :raises InvalidInputError: if it has another input.
    """
    for member in ("Input", "InputPath"):
        if member in target:
            remedy = f"Leave it out, or give an InputTransformer with InputTemplate '{_LOG_TEMPLATE}'"
            raise InvalidInputError(member, f"a CloudWatch log group takes no {member}", remedy, target[member])
    if transformer := target.get("InputTransformer"):
        _check_log_template(transformer["InputTemplate"], "InputTransformer.InputTemplate")


def _check_log_template(template: str, place: str) -> None:
    try:
        members = parse_json_text(_PLACEHOLDER.sub("0", template))
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict) or members.keys() != {"timestamp", "message"}:
        reason = "a CloudWatch log group takes a JSON object of timestamp and message only"
        raise InvalidInputError(place, reason, f"Write it as in '{_LOG_TEMPLATE}'", template)


def _check_paths(paths: object, place: str) -> None:
    if not isinstance(paths, Mapping):
        raise InvalidInputError(place, "it is not a dict", 'Give one such as {"state": "$.detail.state"}', paths)
    if len(paths) > MAX_INPUT_PATHS:
        raise InvalidInputError(place, f"it has {len(paths)} paths, of at most {MAX_INPUT_PATHS}", "Use fewer", paths)
    for name, path in paths.items():
        if str(name).startswith(_RESERVED_PREFIX):
            raise InvalidInputError(f"{place}.{name}", "the name is AWS's own", "Choose another name", name)
        check_input_path(path, f"{place}.{name}")


def _template_text(template: object, place: str) -> str:
    if template is None or template == "":
        raise InvalidInputError(place, "it is missing", "Give a template such as '{\"state\": <state>}'", template)
    if not isinstance(template, str):
        try:
            template = to_json_text(template)
        except ValueError as error:
            raise InvalidInputError(place, str(error), "Give a text, or what JSON can express", template) from None
    check_length(template, MAX_INPUT_TEMPLATE_LENGTH, place)
    return template


def _check_placeholders(template: str, paths: Mapping[str, Any], place: str) -> None:
    for name in _PLACEHOLDER.findall(template):
        if name == _JSON_EVENT and not template.lstrip().startswith("{"):
            reason = f"<{name}> is for templates that are a JSON object"
            raise InvalidInputError(place, reason, f'Write {{"event": <{name}>}}', template)
        if name not in paths and not name.startswith(_RESERVED_PREFIX):
            reason = f"<{name}> is not in InputPathsMap"
            raise InvalidInputError(place, reason, f'Add "{name}": "$.…" to InputPathsMap', template)
