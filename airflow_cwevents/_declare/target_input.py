"""
What a target receives of an event: input paths and input transformers, validated.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from airflow_cwevents._aws.json_text import parse_json_text
from airflow_cwevents._aws.limits import MAX_INPUT_PATHS, MAX_INPUT_TEMPLATE_LENGTH
from airflow_cwevents._declare.checks import check_length
from airflow_cwevents._declare.event_paths import check_path, has_unclosed_bracket, is_never_plain
from airflow_cwevents._declare.input_templates import Occurrence, Template, parse_template, template_text
from airflow_cwevents.exceptions import InvalidInputError

# The variables that AWS fills in itself. It refuses unknown ones itself.
RESERVED_PREFIX: Final = "aws.events."
WHOLE_EVENT: Final = "aws.events.event.json"
ENVELOPE: Final = "aws.events.event"
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html
_PATH_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LOG_TEMPLATE: Final = '{"timestamp": <time>, "message": <message>}'


def normalise_input_transformer(transformer: object, place: str) -> dict[str, Any]:
    """
    Validate an input transformer, and return it in the form that boto3 takes.

    :param transformer: a dict with ``InputTemplate``, as a string or as what JSON can express, and ``InputPathsMap``.
    :param place: where it is in the caller's input, for the error.
    :return: a new dict, with the template as a string.
    :raises InvalidInputError: if AWS would refuse it, or deliver nothing.
    """
    if not isinstance(transformer, Mapping):
        raise InvalidInputError(place, "it is not a dict", "Pass InputTemplate, and InputPathsMap", transformer)
    paths = transformer.get("InputPathsMap") or {}
    _check_paths(paths, f"{place}.InputPathsMap")
    text = _template_text(transformer.get("InputTemplate"), f"{place}.InputTemplate")
    template = parse_template(text, f"{place}.InputTemplate")
    for occurrence in template.occurrences:
        _check_occurrence(occurrence, template, paths, f"{place}.InputTemplate")
    given = {name: value for name, value in transformer.items() if value is not None}
    return {**given, "InputTemplate": text}


def input_warnings(target: Mapping[str, Any]) -> list[str]:
    """
    Return what AWS may reject in a target's input: its pages contradict one another, or do not say.

    :param target: the target, normalised.
    :return: the warnings, a sentence each.
    """
    transformer = target.get("InputTransformer") or {}
    paths = [target.get("InputPath"), *(transformer.get("InputPathsMap") or {}).values()]
    unclosed = [path for path in paths if path and has_unclosed_bracket(path)]
    warnings = [f"AWS may reject the path {path}: a bracket is not closed" for path in unclosed]
    if transformer and parse_template(transformer["InputTemplate"], "InputTemplate").form == "text":
        warnings.append("AWS may refuse an InputTemplate without quotes; put each line into double quotes")
    return warnings


def check_log_input(target: Mapping[str, Any]) -> None:
    """
    Validate what a CloudWatch log group receives: only a timestamp and a message.

    https://github.com/aws/aws-cdk/pull/20748

    :param target: the target, with its template as a string.
    :raises InvalidInputError: if it has another input.
    """
    for member in ("Input", "InputPath"):
        if member in target:
            remedy = f"Omit it, or use an InputTransformer with InputTemplate '{_LOG_TEMPLATE}'"
            raise InvalidInputError(member, f"a CloudWatch log group takes no {member}", remedy, target[member])
    if transformer := target.get("InputTransformer"):
        _check_log_template(transformer["InputTemplate"], "InputTransformer.InputTemplate")


def _check_log_template(text: str, place: str) -> None:
    template = parse_template(text, place)
    members = parse_json_text(template.replaced(lambda _: "0")) if template.form == "object" else {}
    if members.keys() != {"timestamp", "message"}:
        reason = "a CloudWatch log group takes a JSON object of timestamp and message only"
        raise InvalidInputError(place, reason, f"Write it as in '{_LOG_TEMPLATE}'", text)


def _check_paths(paths: object, place: str) -> None:
    if not isinstance(paths, Mapping):
        remedy = 'Pass one such as {"state": "$.detail.state"}'
        raise InvalidInputError(place, "it is not a dict", remedy, paths)
    if len(paths) > MAX_INPUT_PATHS:
        reason = f"it has {len(paths)} paths, and the maximum is {MAX_INPUT_PATHS}"
        raise InvalidInputError(place, reason, "Use fewer", paths)
    for name, path in paths.items():
        _check_path_name(name, f"{place}.{name}")
        check_path(path, f"{place}.{name}")


def _check_path_name(name: object, place: str) -> None:
    if not isinstance(name, str) or not _PATH_NAME.fullmatch(name):
        reason = "the name is not 1 to 256 characters of A-Z, a-z, 0-9, '_' and '-'"
        raise InvalidInputError(place, reason, "Choose another name", name)


def _template_text(template: object, place: str) -> str:
    if template is None or template == "":
        raise InvalidInputError(place, "it is missing", "Pass a template such as '{\"state\": <state>}'", template)
    try:
        text = template_text(template)
    except ValueError as error:
        remedy = "Pass a string, or what JSON can express"
        raise InvalidInputError(place, str(error), remedy, template) from None
    check_length(text, MAX_INPUT_TEMPLATE_LENGTH, place)
    return text


def _check_occurrence(occurrence: Occurrence, template: Template, paths: Mapping[str, str], place: str) -> None:
    name = occurrence.name
    if name == WHOLE_EVENT and (occurrence.quoted or template.form != "object"):
        reason = f"<{name}> works only as a value without quotes in a JSON object"
        raise InvalidInputError(place, reason, f'Write {{"event": <{name}>}}', template.text)
    if name not in paths and not name.startswith(RESERVED_PREFIX):
        reason = f"<{name}> is not in InputPathsMap"
        raise InvalidInputError(place, reason, f'Add "{name}": "$.…" to InputPathsMap', template.text)
    if occurrence.quoted and (name == ENVELOPE or (name in paths and is_never_plain(paths[name]))):
        reason = f"AWS delivers nothing, as <{name}> is in quotes and stands for an object or a list"
        remedy = f'Write it without quotes; in a template given as a dict as Placeholder("{name}")'
        raise InvalidInputError(place, reason, remedy, template.text)
