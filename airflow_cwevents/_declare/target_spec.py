"""
Validate targets of PutTargets, and convert them to the form that AWS accepts.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, TypedDict

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.json_text import canonical_json, parse_json_text, to_json_text
from airflow_cwevents._aws.limits import EVENT_AGE_SECONDS_RANGE, MAX_INPUT_LENGTH, RETRY_ATTEMPTS_RANGE, TARGET_MEMBERS
from airflow_cwevents._aws.target_types import (
    PARAMETER_MEMBERS,
    REFUSED_SERVICES,
    TargetKind,
    kind_of,
    kinds_of_service,
    services_with,
)
from airflow_cwevents._aws.validation import all_valid
from airflow_cwevents._declare.checks import check_length, check_name, check_number
from airflow_cwevents._declare.event_paths import check_path
from airflow_cwevents._declare.target_input import (
    check_log_input,
    normalise_input_transformer,
)
from airflow_cwevents._declare.target_ranges import check_documented_ranges
from airflow_cwevents.exceptions import InvalidInputError, InvalidTargetError

# Members that contain other members, besides InputTransformer.
_BLOCKS = PARAMETER_MEMBERS | {"SqsParameters", "DeadLetterConfig", "RetryPolicy"}


class Target(TypedDict, total=False):
    """A target as users write it: AWS's member names; Id and Arn are required."""

    Id: str
    Arn: str
    RoleArn: str
    Input: Any
    InputPath: str
    InputTransformer: dict[str, Any]
    KinesisParameters: dict[str, Any]
    RunCommandParameters: dict[str, Any]
    EcsParameters: dict[str, Any]
    BatchParameters: dict[str, Any]
    SqsParameters: dict[str, Any]
    HttpParameters: dict[str, Any]
    RedshiftDataParameters: dict[str, Any]
    SageMakerPipelineParameters: dict[str, Any]
    AppSyncParameters: dict[str, Any]
    DeadLetterConfig: dict[str, Any]
    RetryPolicy: dict[str, Any]


def normalise_targets(
    targets: Iterable[Target | Mapping[str, Any]],
    region: str | None = None,
    members: frozenset[str] = TARGET_MEMBERS,
) -> list[dict[str, Any]]:
    """
    Validate targets, and convert them to the form that boto3 accepts.

    :param targets: the targets, with AWS's member names; JSON members as strings or as JSON values. Members that are
        None are omitted, including nested ones.
    :param region: the rule's region; None if it is not known.
    :param members: the members that a target can have.
    :return: new dicts.
    :raises InvalidTargetError: if AWS would reject a target, or could never invoke it.
    """
    normal = list(all_valid(lambda index, target: normalise_target(target, index, region, members), targets))
    check_unique_ids(target["Id"] for target in normal)
    return normal


def check_unique_ids(target_ids: Iterable[str | None]) -> None:
    """
    Validate that no two targets have the same id.

    :param target_ids: the ids, in the order of the targets; None for an unknown one.
    :raises InvalidTargetError: if two are equal.
    """
    seen: dict[str, int] = {}
    for index, target_id in enumerate(target_ids):
        if target_id in seen:
            reason = f"{target_id!r} is already the id of targets[{seen[target_id]}]"
            raise InvalidTargetError(index, "Id", reason, "Use a unique id", target_id, target_id)
        if target_id is not None:
            seen[target_id] = index


def normalise_target(
    target: Target | Mapping[str, Any],
    index: int,
    region: str | None = None,
    members: frozenset[str] = TARGET_MEMBERS,
) -> dict[str, Any]:
    """
    Validate a target, and convert it to the form that boto3 accepts.

    :param target: the target, with AWS's member names.
    :param index: its index in the input, for errors.
    :param region: the rule's region; None if it is not known.
    :param members: the members that a target can have.
    :return: a new dict.
    :raises InvalidTargetError: if AWS would reject the target, or could never invoke it.
    """
    target_id = target.get("Id") if isinstance(target, Mapping) else None
    try:
        return _normalised(target, region, members)
    except InvalidInputError as error:
        raise InvalidTargetError(
            index, error.place, error.reason, error.remedy, error.value, str(target_id) if target_id else None
        ) from None


def is_same_target(wanted: Mapping[str, Any], present: Mapping[str, Any] | None) -> bool:
    """
    Return whether the rule's target is already up to date.

    :param wanted: the target, normalised.
    :param present: the rule's target with the same id, as ListTargetsByRule returns it; None if there is none.
    :return: whether they are equal; ``Input`` is compared as JSON values, not as strings.
    """
    return present is not None and _comparable(wanted) == _comparable(present)


def _comparable(target: Mapping[str, Any]) -> dict[str, Any]:
    return {**target, "Input": canonical_json(target["Input"])} if target.get("Input") else dict(target)


def _normalised(target: object, region: str | None, members: frozenset[str]) -> dict[str, Any]:
    if not isinstance(target, Mapping):
        raise InvalidInputError("", f"it is of type {type(target).__name__}", "Pass a dict with Id and Arn", target)
    _check_members(target, members)
    wire = {
        name: _without_nones(value) if name in _BLOCKS else value for name, value in target.items() if value is not None
    }
    check_name(wire.get("Id"), "Id")
    arn = _parse_arn(wire.get("Arn"), "Arn", "arn:aws:lambda:us-east-1:123456789012:function:NAME")
    kind = _check_kind(arn)
    _check_region(arn, kind, region)
    _check_blocks(wire)
    _check_role(wire, kind)
    _check_parameters(wire, arn, kind)
    _check_dead_letter_config(wire.get("DeadLetterConfig"), region)
    _check_retry_policy(wire.get("RetryPolicy"))
    check_documented_ranges(wire)
    normal = {**wire, **normalised_input(wire)}
    if arn.service == "logs":
        check_log_input(normal)
    return normal


def _without_nones(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nones(member) for name, member in value.items() if member is not None}
    return [_without_nones(item) for item in value] if isinstance(value, list | tuple) else value


def _check_members(target: Mapping[str, Any], members: frozenset[str]) -> None:
    for name in target:
        if name not in members:
            close = get_close_matches(str(name), members, n=1)
            remedy = f"Did you mean {close[0]!r}?" if close else f"AWS's members are {', '.join(sorted(members))}"
            raise InvalidInputError(str(name), "AWS has no such member", remedy, target[name])


def _parse_arn(value: object, place: str, example: str) -> Arn:
    arn = Arn.parse(value) if isinstance(value, str) else None
    if arn is None:
        raise InvalidInputError(place, f"{value!r} is not an ARN", f"Use one such as {example!r}", value)
    return arn


def _check_kind(arn: Arn) -> TargetKind | None:
    """Return the kind of target; None for an unknown service, which is left to AWS."""
    if arn.service in REFUSED_SERVICES:
        reason = f"{arn.service} is not a supported service for a target"
        raise InvalidInputError("Arn", reason, "Pass the ARN of a resource that a rule can invoke", str(arn))
    kind = kind_of(arn)
    known = kinds_of_service(arn.service)
    if kind is None and known:
        examples = " or ".join(f"{each.example!r} ({each.label})" for each in known)
        reason = f"{arn.resource!r} of service {arn.service!r} is not a valid target"
        raise InvalidInputError("Arn", reason, f"Use an ARN that ends as in {examples}", str(arn))
    return kind


def _check_region(arn: Arn, kind: TargetKind | None, region: str | None) -> None:
    if kind and not kind.any_region and region and arn.region and arn.region != region:
        reason = f"it is in region {arn.region!r} and the rule in {region!r}; a rule cannot invoke it across regions"
        raise InvalidInputError(
            "Arn", reason, "Use a target in the rule's region, or an event bus in the other one", str(arn)
        )


def _check_blocks(wire: Mapping[str, Any]) -> None:
    for member in wire:
        if member in _BLOCKS and not isinstance(wire[member], Mapping):
            reason = f"it is of type {type(wire[member]).__name__}"
            raise InvalidInputError(member, reason, "Pass a dict with AWS's member names", wire[member])


def _check_role(wire: Mapping[str, Any], kind: TargetKind | None) -> None:
    if kind and kind.role == "required" and not wire.get("RoleArn"):
        remedy = (
            f"Set a role that allows {', '.join(kind.actions)}; `airflow-cwevents policy role` prints what it needs"
        )
        raise InvalidInputError("RoleArn", f"EventBridge invokes a {kind.label} through a role", remedy)
    if kind and kind.role == "refused" and wire.get("RoleArn"):
        reason = f"EventBridge invokes a {kind.label} through its resource policy only"
        raise InvalidInputError("RoleArn", reason, "Remove it, and set grant_permissions", wire["RoleArn"])


def _check_parameters(wire: Mapping[str, Any], arn: Arn, kind: TargetKind | None) -> None:
    for member in wire:
        if kind and member in PARAMETER_MEMBERS and arn.service not in services_with(member):
            reason = f"it is only for targets of {' and '.join(services_with(member))}, and this is a {kind.label}"
            raise InvalidInputError(member, reason, "Remove it, or correct the Arn", wire[member])
    if kind and kind.parameters and kind.parameters_required and not wire.get(kind.parameters):
        raise InvalidInputError(kind.parameters, f"a {kind.label} requires it", "Set it")
    if arn.service == "sqs" and arn.resource.endswith(".fifo"):
        _check_message_group(wire.get("SqsParameters") or {})
    if ecs := wire.get("EcsParameters"):
        _check_ecs(ecs)


def _check_message_group(parameters: Mapping[str, Any]) -> None:
    if not parameters.get("MessageGroupId"):
        raise InvalidInputError(
            "SqsParameters.MessageGroupId", "a FIFO queue requires it", 'Set SqsParameters={"MessageGroupId": "…"}'
        )


def _check_ecs(parameters: Mapping[str, Any]) -> None:
    check_number(parameters.get("TaskCount", 1), "EcsParameters.TaskCount", 1)
    if parameters.get("LaunchType") == "FARGATE" and not parameters.get("NetworkConfiguration"):
        remedy = 'Set {"awsvpcConfiguration": {"Subnets": […]}}'
        raise InvalidInputError("EcsParameters.NetworkConfiguration", "a FARGATE task requires it", remedy)


def _check_dead_letter_config(config: Mapping[str, Any] | None, region: str | None) -> None:
    if not config:
        return
    place, value = "DeadLetterConfig.Arn", config.get("Arn")
    arn = _parse_arn(value, place, "arn:aws:sqs:us-east-1:123456789012:NAME")
    if arn.service != "sqs" or arn.resource.endswith(".fifo"):
        raise InvalidInputError(place, "it is not a standard SQS queue", "Use a standard queue", value)
    if region and arn.region != region:
        reason = f"it is in region {arn.region!r} and the rule in {region!r}"
        raise InvalidInputError(place, reason, "Use a queue in the rule's region", value)


def _check_retry_policy(policy: Mapping[str, Any] | None) -> None:
    for member, (low, high) in (
        ("MaximumRetryAttempts", RETRY_ATTEMPTS_RANGE),
        ("MaximumEventAgeInSeconds", EVENT_AGE_SECONDS_RANGE),
    ):
        check_number((policy or {}).get(member, low), f"RetryPolicy.{member}", low, high)


def normalised_input(target: Mapping[str, Any]) -> dict[str, Any]:
    """
    Validate the input that a target receives.

    :param target: the target, with AWS's member names.
    :return: ``Input`` or ``InputTransformer`` in the form that boto3 accepts, if the target has one.
    :raises InvalidInputError: if AWS would reject it.
    """
    wire = {name: value for name, value in target.items() if value is not None}
    given = [member for member in ("Input", "InputPath", "InputTransformer") if member in wire]
    if len(given) > 1:
        reason = f"only one of Input, InputPath and InputTransformer is allowed, and {' and '.join(given)} are set"
        raise InvalidInputError(given[0], reason, "Remove the others", wire[given[0]])
    if given == ["Input"]:
        return {"Input": _input_text(wire["Input"])}
    if given == ["InputPath"]:
        check_path(wire["InputPath"], "InputPath")
    if given == ["InputTransformer"]:
        return {"InputTransformer": normalise_input_transformer(wire["InputTransformer"], "InputTransformer")}
    return {}


def _input_text(value: object) -> str:
    try:
        text = value if isinstance(value, str) else to_json_text(value)
        with suppress(RecursionError):  # nested too deeply for Python, but AWS may accept it
            parse_json_text(text)
    except ValueError as error:
        remedy = "Pass a JSON value, or a JSON string: a plain word needs its own quotes, '\"word\"'"
        raise InvalidInputError("Input", str(error), remedy, value) from None
    check_length(text, MAX_INPUT_LENGTH, "Input")
    return text
