"""
Whether a resource policy allows EventBridge to invoke a target, as far as that can be decided without AWS.

.. seealso:: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_cwevents.iam.documents import SERVICE, statements_of

Verdict = Literal["allowed", "denied", "unknown"]
_Match = Literal["yes", "no", "maybe"]

_ARN_PARTS = 6


@dataclass(frozen=True, slots=True)
class Invocation:
    """
    A request that EventBridge makes to invoke a target.

    :param action: the action, such as ``sqs:SendMessage``.
    :param resource: the ARN of the resource.
    :param rule_arn: the ARN of the rule on whose behalf; None if the request does not carry it.
    :param source_account_known: whether the request carries the rule's account; None if that is not known.
    :param meets_conditions: whether a statement with a condition can allow the request.
    """

    action: str
    resource: str
    rule_arn: str | None
    source_account_known: bool | None = None
    meets_conditions: bool = True


def invocation_of(service: str, action: str, resource: str, rule_arn: str) -> Invocation:
    """
    Return the request that EventBridge makes to a service, with what AWS documents of its context.

    :param service: the service of the target's ARN.
    :param action: the action.
    :param resource: the ARN of the resource.
    :param rule_arn: the rule's ARN.
    :return: the request.

    .. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    if service == "sns":  # with any Condition in the topic's policy, SNS publishes nothing
        return Invocation(action, resource, None, source_account_known=False, meets_conditions=False)
    # EventBridge does not send the account to Lambda
    return Invocation(action, resource, rule_arn, source_account_known=False if service == "lambda" else None)


def evaluate(policy: Mapping[str, Any] | None, invocation: Invocation) -> Verdict:
    """
    Evaluate a resource policy for an invocation.

    :param policy: the policy; None for none, which allows nothing.
    :param invocation: EventBridge's request.
    :return: ``allowed`` or ``denied``; ``unknown`` if that depends on a condition that only AWS can evaluate.
    """
    matches: dict[str, set[_Match]] = {"Allow": set(), "Deny": set()}
    for statement in statements_of(policy):
        match, effect = _match(statement, invocation), statement.get("Effect")
        if effect == "Allow" and statement.get("Condition") and not invocation.meets_conditions:
            continue
        if effect in ("Allow", "Deny"):
            matches[effect].add(match)
        elif match != "no":
            matches["Deny"].add("maybe")  # only AWS knows the effect
    if "yes" in matches["Deny"]:
        return "denied"
    if "maybe" in matches["Deny"]:
        return "unknown"
    if "yes" in matches["Allow"]:
        return "allowed"
    return "unknown" if "maybe" in matches["Allow"] else "denied"


def _match(statement: Mapping[str, Any], invocation: Invocation) -> _Match:
    if not _principal_matches(statement):
        return "no"
    if not _element_matches(statement, "Action", invocation.action, ignore_case=True):
        return "no"
    if not _element_matches(statement, "Resource", invocation.resource):
        return "no"
    conditions = [
        _condition_match(operator, key, values, invocation)
        for operator, keys in (statement.get("Condition") or {}).items()
        for key, values in keys.items()
    ]
    if "no" in conditions:
        return "no"
    return "maybe" if "maybe" in conditions else "yes"


def _principal_matches(statement: Mapping[str, Any]) -> bool:
    if "NotPrincipal" in statement:
        return not _names_eventbridge(statement["NotPrincipal"])
    return _names_eventbridge(statement.get("Principal"))


def _names_eventbridge(principal: object) -> bool:
    if isinstance(principal, Mapping):
        services = _as_list(principal.get("Service"))
        return SERVICE in services or "*" in services or "*" in _as_list(principal.get("AWS"))
    return principal == "*"


def _element_matches(statement: Mapping[str, Any], element: str, value: str, *, ignore_case: bool = False) -> bool:
    if element in statement:
        return any(_like(pattern, value, ignore_case=ignore_case) for pattern in _as_list(statement[element]))
    if f"Not{element}" in statement:
        patterns = _as_list(statement[f"Not{element}"])
        return not any(_like(pattern, value, ignore_case=ignore_case) for pattern in patterns)
    return True


def _condition_match(operator: str, key: str, values: object, invocation: Invocation) -> _Match:
    context = _context(invocation)
    name = operator.removesuffix("IfExists")
    if name not in _OPERATORS or key.lower() not in context:
        return "maybe"
    value = context[key.lower()]
    if value is None:
        return "yes" if operator.endswith("IfExists") else "no"
    found = {_OPERATORS[name](str(pattern), value) for pattern in _as_list(values)}
    return "yes" if "yes" in found else "maybe" if "maybe" in found else "no"


def _context(invocation: Invocation) -> dict[str, str | None]:
    """Return the condition keys whose value in EventBridge's request is known; None for a key that it lacks."""
    rule_arn = invocation.rule_arn
    # SourceOwner is the key in the default policy of a topic; EventBridge does not send it
    context = {"aws:securetransport": "true", "aws:sourcearn": rule_arn, "aws:sourceowner": None}
    if invocation.source_account_known is None:
        return context
    account = rule_arn.split(":")[4] if rule_arn and invocation.source_account_known else None
    return {**context, "aws:sourceaccount": account}


def _like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _string_like(pattern: str, value: str) -> _Match:
    return "yes" if _like(pattern, value) else "no"


def _string_equals(pattern: str, value: str) -> _Match:
    return "yes" if pattern == value else "no"


def _bool(pattern: str, value: str) -> _Match:
    return _string_equals(pattern.lower(), value)


def _arn_like(pattern: str, value: str) -> _Match:
    """Match ARNs part by part, as AWS documents; whether AWS takes a lone asterisk for an ARN is not known."""
    if pattern == "*":
        return "maybe"
    patterns, parts = pattern.split(":", _ARN_PARTS - 1), value.split(":", _ARN_PARTS - 1)
    return "yes" if len(patterns) == len(parts) == _ARN_PARTS and all(map(_like, patterns, parts)) else "no"


# Operators that are met by any of the policy's values.
_OPERATORS: Mapping[str, Callable[[str, str], _Match]] = {
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _bool,
    "StringEquals": _string_equals,
    "StringLike": _string_like,
}


def _as_list(value: object) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | set) else [value]
