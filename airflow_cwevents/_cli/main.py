"""The command ``airflow-cwevents``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents.exceptions import InvalidTargetError
from airflow_cwevents.iam.documents import trust_policy, tutorial_role_policy
from airflow_cwevents.iam.grants import dead_letter_statements, resource_statements
from airflow_cwevents.iam.operator_actions import OPERATOR_NEEDS, operator_policy
from airflow_cwevents.iam.roles import check_known, target_role_policy

# The members that a policy depends on and that have members of their own.
_POLICY_MEMBERS = ("BatchParameters", "DeadLetterConfig", "EcsParameters", "RedshiftDataParameters")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: the command line's arguments; None for those of this process.
    :return: the exit status.
    """
    options = _parser().parse_args(arguments)
    if options.command == "demo":
        from airflow_cwevents._cli.demo.run import run_demo

        return run_demo()
    try:
        document = options.document(options)
    except (OSError, ValueError) as error:  # ValueError: also what is not JSON, or not UTF-8
        sys.stderr.write(f"airflow-cwevents: {error}\n")
        return 2
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="airflow-cwevents", description="Airflow provider for CloudWatch Events")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="send an event to a Lambda function, from Airflow, on a local AWS")
    policy = commands.add_parser("policy", help="print the IAM and resource policies that a DAG and its targets need")
    kinds = policy.add_subparsers(dest="kind", required=True)

    trust = kinds.add_parser("trust", help="the trust relationship of a role that EventBridge is to assume")
    trust.add_argument("--rule-arn", type=_rule_arn, help="the only rule that may use the role; any if omitted")
    trust.set_defaults(document=lambda options: trust_policy(options.rule_arn))

    tutorial = kinds.add_parser("tutorial", help="the role policy of AWS's tutorial")
    tutorial.set_defaults(document=lambda _: tutorial_role_policy())

    role = kinds.add_parser("role", help="the least that a role has to allow for EventBridge to invoke targets")
    _add_targets(role)
    role.set_defaults(document=lambda options: target_role_policy(_targets(options)))

    resource = kinds.add_parser("resource", help="the statements that the targets' own policies need")
    _add_targets(resource)
    resource.add_argument("--rule-arn", required=True, type=_rule_arn, help="the ARN of the rule to let in")
    resource.set_defaults(document=_resource_document)

    operators = kinds.add_parser("operators", help="all that operators may call, for the role of the DAG")
    operators.add_argument(
        "names",
        nargs="*",
        type=_operator_name,
        metavar="OPERATOR",
        help="such as PutRuleOperator; all if none is named",
    )
    operators.set_defaults(document=lambda options: operator_policy(options.names or OPERATOR_NEEDS))
    return parser


def _add_targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "targets",
        type=argparse.FileType("r", encoding="utf-8"),
        help="a JSON file with a list of targets, as PutTargets takes them; - for standard input",
    )


def _rule_arn(text: str) -> str:
    arn = Arn.parse(text)
    if arn is None or arn.service != "events" or not arn.resource.startswith("rule/"):
        example = "arn:aws:events:us-east-1:123456789012:rule/NAME"
        raise argparse.ArgumentTypeError(f"{text!r} is not the ARN of a rule, such as {example}")
    return text


def _operator_name(text: str) -> str:
    if text not in OPERATOR_NEEDS:
        raise argparse.ArgumentTypeError(f"there is no {text!r}, but {', '.join(OPERATOR_NEEDS)}")
    return text


def _targets(options: argparse.Namespace) -> list[dict[str, Any]]:
    with options.targets as file:
        content = json.load(file)
    targets = content if isinstance(content, list) else [content]
    for index, target in enumerate(targets):
        if not isinstance(target, dict) or not Arn.parse(str(target.get("Arn"))):
            raise InvalidTargetError(index, "Arn", "it is not an ARN", "Give a list of targets, each with Id and Arn")
        _check_members(target, index)
    return targets


def _check_members(target: dict[str, Any], index: int) -> None:
    """Check what the policies are made of; the rest is for PutTargets to judge."""
    for member in _POLICY_MEMBERS:
        value = target.get(member)
        if value and not isinstance(value, dict):
            remedy = "Give a dict with AWS's member names"
            raise InvalidTargetError(index, member, f"it is of type {type(value).__name__}", remedy, value)
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue_arn and not Arn.parse(str(queue_arn)):
        raise InvalidTargetError(index, "DeadLetterConfig.Arn", "it is not an ARN", "Name an SQS queue", queue_arn)


def _resource_document(options: argparse.Namespace) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for index, target in enumerate(_targets(options)):
        target_id = target.get("Id")
        if not target_id or not isinstance(target_id, str) or target_id in document:
            raise InvalidTargetError(index, "Id", _id_reason(target_id), "Give each target its own", target_id)
        check_known(target, index)
        document[target_id] = [
            *resource_statements(target, options.rule_arn),
            *dead_letter_statements(target, options.rule_arn),
        ]
    return document


def _id_reason(target_id: object) -> str:
    if not target_id:
        return "it is missing"
    known = isinstance(target_id, str)
    return "it is the id of another target already" if known else f"it is of type {type(target_id).__name__}"
