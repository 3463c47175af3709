"""
Event queues: validate and normalise their parameters, and the attributes that both queues should have.

.. seealso:: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_cwevents._aws.arns import DEFAULT_EVENT_BUS, bus_name_of, check_event_bus_name
from airflow_cwevents._aws.json_text import canonical_json
from airflow_cwevents._aws.limits import (
    MAX_TAG_VALUE_LENGTH,
    MAX_VISIBILITY_SECONDS,
    MESSAGE_GROUP_ID_PATTERN,
    MESSAGE_RETENTION_RANGE,
    RECEIVE_COUNT_RANGE,
)
from airflow_cwevents._declare.checks import check_number
from airflow_cwevents._declare.rule_spec import validated_tags
from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.patterns import EventPattern

MAX_RECEIVE_COUNT = 10
MESSAGE_RETENTION_SECONDS = 345_600
VISIBILITY_TIMEOUT = 30
#: The key of the tag of rule and queues; its value names the event queue that they are a part of.
OWNER_TAG = "airflow-cwevents:event-queue"
TARGET_ID = "event-queue"
FIFO_SUFFIX = ".fifo"
# With this and the suffix of FIFO queues, a name of 64 characters stays below the 80 that SQS allows.
_DEAD_LETTER_SUFFIX = "-dlq"
# What both a rule and a queue can be called: the name of a queue has no dot.
_NAME_PATTERN = r"[\-_A-Za-z0-9]{1,64}"
_JSON_ATTRIBUTES = frozenset({"RedrivePolicy", "RedriveAllowPolicy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQueueSpec:
    """
    The validated parameters of an event queue.

    See :meth:`~airflow_cwevents.hooks.EventQueues.create`.
    """

    name: str
    event_pattern: str
    event_bus_name: str | None
    max_receive_count: int
    message_retention_seconds: int
    visibility_timeout: int
    kms_key: str | None
    tags: dict[str, str] | None
    message_group_id: str | None

    @property
    def queue_name(self) -> str:
        """The name of the SQS queue."""
        return f"{self.name}{self._suffix}"

    @property
    def dead_letter_queue_name(self) -> str:
        """The name of the dead-letter queue, which is FIFO if the queue is, as SQS requires."""
        return f"{self.name}{_DEAD_LETTER_SUFFIX}{self._suffix}"

    @property
    def owner(self) -> str:
        """The value of the tag :data:`OWNER_TAG`."""
        return owner_of(self.name, self.event_bus_name)

    @property
    def _suffix(self) -> str:
        return FIFO_SUFFIX if self.message_group_id else ""

    def queue_attributes(self, dead_letter_queue_arn: str) -> dict[str, str]:
        """Return the attributes that the queue should have; an empty string stands for none."""
        redrive = {"deadLetterTargetArn": dead_letter_queue_arn, "maxReceiveCount": self.max_receive_count}
        return {
            "MessageRetentionPeriod": str(self.message_retention_seconds),
            "VisibilityTimeout": str(self.visibility_timeout),
            "RedrivePolicy": json.dumps(redrive),
            **({"ContentBasedDeduplication": "true"} if self.message_group_id else {}),
            **self._encryption,
        }

    def dead_letter_queue_attributes(self) -> dict[str, str]:
        """
        Return the attributes that the dead-letter queue should have; an empty string stands for none.

        It keeps messages as long as SQS can: in a standard queue their age counts from when they were sent first.
        """
        return {"MessageRetentionPeriod": str(MESSAGE_RETENTION_RANGE[1]), **self._encryption}

    @property
    def _encryption(self) -> dict[str, str]:
        if self.kms_key:
            return {"KmsMasterKeyId": self.kms_key}
        return {"KmsMasterKeyId": "", "SqsManagedSseEnabled": "true"}

    def target(self, queue_arn: str, dead_letter_queue_arn: str) -> dict[str, Any]:
        """
        Return the target that delivers to the queue, as PutTargets takes it.

        What cannot be delivered goes to the dead-letter queue, unless it is FIFO, which EventBridge does not support.

        :param queue_arn: the queue's ARN.
        :param dead_letter_queue_arn: that of its dead-letter queue.
        :return: the target.
        """
        if self.message_group_id:
            return {"Id": TARGET_ID, "Arn": queue_arn, "SqsParameters": {"MessageGroupId": self.message_group_id}}
        return {"Id": TARGET_ID, "Arn": queue_arn, "DeadLetterConfig": {"Arn": dead_letter_queue_arn}}

    def rule_tags(self, *, is_new: bool) -> dict[str, str] | None:
        """Return the complete set of tags that the rule should have; None to leave them unchanged."""
        return None if self.tags is None and not is_new else {**(self.tags or {}), OWNER_TAG: self.owner}


def redrive_allow_attributes(queue_arn: str) -> dict[str, str]:
    """Return the attributes of a dead-letter queue that only one queue may use."""
    return {"RedriveAllowPolicy": json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [queue_arn]})}


def changed_attributes(present: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """
    Compare the attributes of a queue with those that it should have.

    :param present: its attributes, as GetQueueAttributes returns them.
    :param wanted: those that it should have; an empty string stands for none. Others are left as they are.
    :return: those of ``wanted`` that differ; policies are compared as JSON values, not as strings.
    """
    return {
        name: value
        for name, value in wanted.items()
        if _comparable(name, present.get(name) or "") != _comparable(name, value)
    }


def owner_of(name: str, event_bus_name: str | None) -> str:
    """
    Return the value of the tag that marks rule and queues as parts of an event queue.

    :param name: the name of the event queue.
    :param event_bus_name: name or ARN of its bus; None for the default bus.
    :return: bus and name; of the longest names of partner buses the beginning is left out, as AWS limits the value.
    """
    return f"{bus_name_of(event_bus_name or DEFAULT_EVENT_BUS)}/{name}"[-MAX_TAG_VALUE_LENGTH:]


def possible_queue_names(name: str) -> list[str]:
    """Return the names that queues of an event queue can have, each dead-letter queue after the queue that uses it."""
    return [f"{name}{kind}{suffix}" for suffix in ("", FIFO_SUFFIX) for kind in ("", _DEAD_LETTER_SUFFIX)]


def validated_argument(parameter: str, value: Any) -> Any:
    """
    Validate one parameter of an event queue.

    :param parameter: its name.
    :param value: its value.
    :return: the value in the form that :class:`EventQueueSpec` has.
    :raises InvalidInputError: if AWS would refuse it, or could never deliver to such a queue.
    """
    return _VALIDATORS[parameter](value)


def event_queue_spec(**arguments: Any) -> EventQueueSpec:
    """
    Validate the parameters of an event queue.

    :param arguments: all parameters of :meth:`~airflow_cwevents.hooks.EventQueues.create`.
    :return: the specification.
    :raises InvalidInputError: see :func:`validated_argument`.
    """
    return EventQueueSpec(**{parameter: validated_argument(parameter, value) for parameter, value in arguments.items()})


def _validated_name(name: object) -> str:
    if isinstance(name, str) and re.fullmatch(_NAME_PATTERN, name):
        return name
    reason = f"{name!r} is not 1 to 64 characters of A-Z, a-z, 0-9, '-' and '_'"
    is_fifo = isinstance(name, str) and name.endswith(FIFO_SUFFIX)
    remedy = f"Omit {FIFO_SUFFIX!r}, which message_group_id adds" if is_fifo else "Choose another name"
    raise InvalidInputError("name", reason, remedy, name)


def _validated_pattern(event_pattern: Mapping[str, Any] | str | None) -> str:
    if not event_pattern:
        raise InvalidInputError(
            "event_pattern", "an event queue needs one", 'Set it to {"source": [{"prefix": ""}]} for all events'
        )
    return EventPattern(event_pattern).to_json()


def _validated_bus(event_bus_name: str | None) -> str | None:
    check_event_bus_name(event_bus_name)
    return event_bus_name


def _validated_number(parameter: str, limits: tuple[int, int], value: Any) -> int:
    check_number(value, parameter, *limits)
    return int(value)


def _validated_key(kms_key: object) -> str | None:
    if kms_key is None or kms_key == "":
        return None
    if not isinstance(kms_key, str):
        remedy = "Pass the key's ARN, id or alias"
        raise InvalidInputError("kms_key", f"it is of type {type(kms_key).__name__}", remedy, kms_key)
    if "alias/aws/" in kms_key:
        reason = f"EventBridge cannot use {kms_key}, a key that AWS manages, so nothing would arrive"
        raise InvalidInputError(
            "kms_key", reason, "Omit it for SQS-managed encryption, or pass a key of your own", kms_key
        )
    return kms_key


def _validated_tags(tags: Any) -> dict[str, str] | None:
    normal = validated_tags(tags)
    if OWNER_TAG in (normal or ()):
        raise InvalidInputError(f"tags.{OWNER_TAG}", "it marks what belongs to an event queue", "Omit it", tags)
    return normal


def _validated_group(message_group_id: object) -> str | None:
    if message_group_id is None or message_group_id == "":
        return None
    if isinstance(message_group_id, str) and re.fullmatch(MESSAGE_GROUP_ID_PATTERN, message_group_id):
        return message_group_id
    reason = f"{message_group_id!r} is not 1 to 128 letters, digits and punctuation marks of ASCII"
    raise InvalidInputError("message_group_id", reason, "Choose another one", message_group_id)


def _comparable(name: str, value: str) -> str:
    return canonical_json(value) if name in _JSON_ATTRIBUTES else value


_VALIDATORS: dict[str, Callable[[Any], Any]] = {
    "name": _validated_name,
    "event_pattern": _validated_pattern,
    "event_bus_name": _validated_bus,
    "max_receive_count": partial(_validated_number, "max_receive_count", RECEIVE_COUNT_RANGE),
    "message_retention_seconds": partial(_validated_number, "message_retention_seconds", MESSAGE_RETENTION_RANGE),
    "visibility_timeout": partial(_validated_number, "visibility_timeout", (0, MAX_VISIBILITY_SECONDS)),
    "kms_key": _validated_key,
    "tags": _validated_tags,
    "message_group_id": _validated_group,
}
#: The parameters of an event queue.
PARAMETERS = tuple(_VALIDATORS)
