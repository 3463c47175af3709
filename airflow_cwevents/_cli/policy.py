"""``airflow-cwevents policy``: print the IAM and resource policies that a DAG and its targets need."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._cli.json_files import read_json
from airflow_cwevents.exceptions import InvalidTargetError
from airflow_cwevents.iam.documents import trust_policy, tutorial_role_policy
from airflow_cwevents.iam.grants import dead_letter_statements, resource_statements
from airflow_cwevents.iam.operator_actions import OPERATOR_NEEDS, operator_policy
from airflow_cwevents.iam.roles import check_known, target_role_policy

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

# The members that a policy depends on and that have members of their own.
_POLICY_MEMBERS = ("BatchParameters", "DeadLetterConfig", "EcsParameters", "RedshiftDataParameters")


def add_parser(commands: Commands) -> None:
    """
    Register the command.

    :param commands: the subparsers of ``airflow-cwevents``.
    """
    policy = commands.add_parser("policy", help="print the IAM and resource policies that a DAG and its targets need")
    policy.set_defaults(parser=policy)
    kinds = policy.add_subparsers(title="kinds of policies", metavar="KIND")
    for add_kind in (_add_trust, _add_tutorial, _add_role, _add_resource, _add_operators):
        add_kind(kinds)


def _add_kind(
    kinds: Commands, name: str, help_text: str, document: Callable[[argparse.Namespace], Any]
) -> argparse.ArgumentParser:
    """Add a kind of policy, printed as the JSON document that a function returns."""

    def run(options: argparse.Namespace) -> int:
        print(json.dumps(document(options), indent=2))
        return 0

    kind = kinds.add_parser(name, help=help_text)
    kind.set_defaults(run=run)
    return kind


def _add_trust(kinds: Commands) -> None:
    trust = _add_kind(
        kinds,
        "trust",
        "the trust policy of a role that EventBridge assumes",
        lambda options: trust_policy(options.rule_arn),
    )
    trust.add_argument("--rule-arn", type=_rule_arn, help="the only rule that may use the role; default: any")


def _add_tutorial(kinds: Commands) -> None:
    _add_kind(kinds, "tutorial", "the role policy of AWS's tutorial", lambda _: tutorial_role_policy())


def _add_role(kinds: Commands) -> None:
    role = _add_kind(
        kinds,
        "role",
        "the least privileges a role needs for EventBridge to invoke targets",
        lambda options: target_role_policy(_targets(options.targets)),
    )
    _add_targets(role)


def _add_resource(kinds: Commands) -> None:
    resource = _add_kind(kinds, "resource", "the statements that the targets' own policies need", _resource_document)
    _add_targets(resource)
    resource.add_argument("--rule-arn", required=True, type=_rule_arn, help="the ARN of the rule to allow")


def _add_operators(kinds: Commands) -> None:
    operators = _add_kind(
        kinds,
        "operators",
        "the permissions that operators need, for the credentials of the DAG",
        lambda options: operator_policy(options.names or OPERATOR_NEEDS),
    )
    operators.add_argument(
        "names", nargs="*", type=_operator_name, metavar="OPERATOR", help="such as PutRuleOperator; default: all"
    )


def _add_targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", help="a JSON file with a list of targets, as PutTargets takes them; - for stdin")


def _rule_arn(value: str) -> str:
    arn = Arn.parse(value)
    if arn is None or arn.service != "events" or not arn.resource.startswith("rule/"):
        example = "arn:aws:events:us-east-1:123456789012:rule/NAME"
        raise argparse.ArgumentTypeError(f"{value!r} is not the ARN of a rule, such as {example}")
    return value


def _operator_name(value: str) -> str:
    if value not in OPERATOR_NEEDS:
        close = get_close_matches(value, OPERATOR_NEEDS, n=1)
        remedy = f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(OPERATOR_NEEDS)}"
        raise argparse.ArgumentTypeError(f"there is no operator {value!r}. {remedy}")
    return value


def _targets(path: str) -> list[dict[str, Any]]:
    content = read_json(path)
    targets = content if isinstance(content, list) else [content]
    for index, target in enumerate(targets):
        if not isinstance(target, dict) or not Arn.parse(str(target.get("Arn"))):
            raise InvalidTargetError(index, "Arn", "it is not an ARN", "Pass a list of targets, each with Id and Arn")
        _check_members(target, index)
    return targets


def _check_members(target: dict[str, Any], index: int) -> None:
    """Validate the members that policies are made of; PutTargets validates the rest."""
    for member in _POLICY_MEMBERS:
        value = target.get(member)
        if value and not isinstance(value, dict):
            remedy = "Use an object with AWS's member names"
            raise InvalidTargetError(index, member, f"it is of type {type(value).__name__}", remedy, value)
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue_arn and not Arn.parse(str(queue_arn)):
        raise InvalidTargetError(index, "DeadLetterConfig.Arn", "it is not an ARN", "Name an SQS queue", queue_arn)


def _resource_document(options: argparse.Namespace) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for index, target in enumerate(_targets(options.targets)):
        target_id = target.get("Id")
        if not target_id or not isinstance(target_id, str) or target_id in document:
            raise InvalidTargetError(index, "Id", _id_reason(target_id), "Use a unique string", target_id)
        check_known(target, index)
        document[target_id] = [
            *resource_statements(target, options.rule_arn),
            *dead_letter_statements(target, options.rule_arn),
        ]
    return document


def _id_reason(target_id: object) -> str:
    if not target_id:
        return "it is missing"
    return "another target has the same" if isinstance(target_id, str) else f"it is of type {type(target_id).__name__}"
