"""Create and delete event queues: queues that receive the events that match a pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from airflow_cwevents._declare.encryption import key_findings
from airflow_cwevents._declare.event_queue_spec import (
    MAX_RECEIVE_COUNT,
    MESSAGE_RETENTION_SECONDS,
    OWNER_TAG,
    TARGET_ID,
    VISIBILITY_TIMEOUT,
    EventQueueSpec,
    event_queue_spec,
    owner_of,
    possible_queue_names,
    redrive_allow_attributes,
    validated_argument,
)
from airflow_cwevents._declare.event_queue_sqs import OwnedQueues
from airflow_cwevents.exceptions import (
    EventBusNotFoundError,
    EventQueueConflictError,
    InvalidInputError,
    RuleNotFoundError,
)

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.logger import Logger
    from airflow_cwevents._declare.rule_deletion import RuleDeletion
    from airflow_cwevents._declare.rules import Rules
    from airflow_cwevents._declare.targets import Targets


class EventQueues:
    """
    Event queues of the account.

    An event queue is an SQS queue with a dead-letter queue, a rule of the same name, and a target from the one to the
    other, whose dead letters go to that dead-letter queue, unless it is FIFO. A tag marks rule and queues as its parts:
    what does not have it is neither changed nor deleted.

    :param clients: returns the boto3 client of a service.
    :param rules: the account's rules.
    :param targets: their targets.
    :param rule_deletion: deletes rules with their targets.
    :param log: where to log to.
    :param wait: how long to wait before a queue is created again, in seconds.
    """

    def __init__(
        self,
        clients: Callable[[str], Any],
        rules: Rules,
        targets: Targets,
        rule_deletion: RuleDeletion,
        log: Logger,
        wait: wait_base,
    ) -> None:
        self._clients = clients
        self._rules = rules
        self._targets = targets
        self._rule_deletion = rule_deletion
        self._log = log
        self._wait = wait

    def create(
        self,
        name: str,
        event_pattern: Mapping[str, Any] | str,
        *,
        event_bus_name: str | None = None,
        max_receive_count: int = MAX_RECEIVE_COUNT,
        message_retention_seconds: int = MESSAGE_RETENTION_SECONDS,
        visibility_timeout: int = VISIBILITY_TIMEOUT,
        kms_key: str | None = None,
        tags: Mapping[str, str] | Iterable[Mapping[str, str]] | None = None,
        message_group_id: str | None = None,
    ) -> dict[str, str]:
        """
        Create an event queue, or update what differs in an existing one.

        After an error, calling it again completes the rest. A new rule and the policy of a new queue take up to a
        minute to work. SQS keeps the name of a deleted queue for a minute, for which this method waits.

        :param name: the name of rule and queue, 1 to 64 characters; the dead-letter queue's has ``-dlq`` at its end.
        :param event_pattern: the pattern that events must match, as a dict or a JSON string.
        :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
        :param max_receive_count: how often a message is received before SQS moves it to the dead-letter queue, 1 to
            1,000.
        :param message_retention_seconds: how long the queue keeps a message, 60 to 1,209,600 seconds; the dead-letter
            queue always has the maximum, 14 days.
        :param visibility_timeout: how long a received message is hidden from other receivers, 0 to 43,200 seconds.
        :param kms_key: ARN, id or alias of a KMS key of your own, for both queues, whose policy allows EventBridge
            kms:Decrypt and kms:GenerateDataKey; None for SQS-managed encryption.
        :param tags: a dict, or AWS's list of ``{"Key": …, "Value": …}``: the complete set of the tags of rule and
            queues, besides the one that marks them; None leaves them unchanged.
        :param message_group_id: makes both queues FIFO, with ``.fifo`` at the end of their names, and is the group of
            all messages; None for standard queues.
        :return: ``queue_url``, ``queue_arn``, ``rule_arn`` and ``dead_letter_queue_url``.
        :raises InvalidInputError: if AWS would refuse the arguments, or EventBridge cannot use the key; nothing was
            changed.
        :raises EventBusNotFoundError: if the bus does not exist; nothing was changed.
        :raises EventQueueConflictError: if a rule or queue of the name exists, and is not part of the event queue;
            nothing was changed.
        :raises GrantPermissionsError: if the queue's policy could not be changed.
        """
        spec = event_queue_spec(
            name=name,
            event_pattern=event_pattern,
            event_bus_name=event_bus_name,
            max_receive_count=max_receive_count,
            message_retention_seconds=message_retention_seconds,
            visibility_timeout=visibility_timeout,
            kms_key=kms_key,
            tags=tags,
            message_group_id=message_group_id,
        )
        self._check_key(spec.kms_key)
        is_new = self._check_rule(spec)
        queues = self._queues(spec.owner)
        queues.check(spec.queue_name)
        dead_letters = queues.put(spec.dead_letter_queue_name, spec.dead_letter_queue_attributes(), spec.tags)
        queue = queues.put(spec.queue_name, spec.queue_attributes(dead_letters.arn), spec.tags)
        queues.update(dead_letters, redrive_allow_attributes(queue.arn))
        rule_arn = self._put_rule(spec, spec.target(queue.arn, dead_letters.arn), is_new=is_new)
        return {
            "queue_url": queue.url,
            "queue_arn": queue.arn,
            "rule_arn": rule_arn,
            "dead_letter_queue_url": dead_letters.url,
        }

    def delete(self, name: str, event_bus_name: str | None = None) -> None:
        """
        Delete an event queue, with the messages in it; do nothing if it does not exist.

        Rule and queues without the tag of this event queue are left, with a warning. A rule with targets of others
        only loses its own target.

        :param name: its name.
        :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
        :raises InvalidInputError: if no event queue can have that name.
        """
        owner = owner_of(validated_argument("name", name), validated_argument("event_bus_name", event_bus_name))
        self._delete_rule(name, event_bus_name, owner)
        for queue_name in possible_queue_names(name):
            self._queues(owner).delete(queue_name)

    def _queues(self, owner: str) -> OwnedQueues:
        return OwnedQueues(self._clients("sqs"), owner, self._log, self._wait)

    def _check_key(self, kms_key: str | None) -> None:
        if kms_key is None:
            return
        try:
            findings = list(key_findings(self._clients, "sqs", kms_key, "queue"))
        except (ClientError, BotoCoreError):
            return  # without permission to read the key, putting the target warns
        for finding in findings:
            raise InvalidInputError("kms_key", finding.text, finding.fix, kms_key)

    def _check_rule(self, spec: EventQueueSpec) -> bool:
        """Make sure that the rule is ours, and return whether it does not exist."""
        rule = self._rules.find(spec.name, spec.event_bus_name)
        owner = self._rules.tags(rule["Arn"]).get(OWNER_TAG) if rule else spec.owner
        if owner != spec.owner:
            raise EventQueueConflictError(f"rule {spec.name!r}", owner, (OWNER_TAG, spec.owner))
        return rule is None

    def _put_rule(self, spec: EventQueueSpec, target: Mapping[str, Any], *, is_new: bool) -> str:
        rule_arn = self._rules.put(
            spec.name,
            event_pattern=spec.event_pattern,
            description=f"Event queue of Airflow: delivers to queue {spec.queue_name}",
            event_bus_name=spec.event_bus_name,
            tags=spec.rule_tags(is_new=is_new),
        )
        self._targets.put(spec.name, [target], event_bus_name=spec.event_bus_name, grant_permissions=True)
        return rule_arn

    def _delete_rule(self, name: str, event_bus_name: str | None, owner: str) -> None:
        try:
            rule = self._rules.describe(name, event_bus_name)
            if self._rules.tags(rule["Arn"]).get(OWNER_TAG) != owner:
                self._log.warning("Left rule %s, as its tag %s is not %s", name, OWNER_TAG, owner)
                return
            ids = {target["Id"] for target in self._targets.list_targets(name, event_bus_name)}
            if others := sorted(ids - {TARGET_ID}):
                self._targets.remove(name, [TARGET_ID], event_bus_name=event_bus_name)
                self._log.warning("Left rule %s, as it has other targets: %s", name, ", ".join(others))
                return
        except (RuleNotFoundError, EventBusNotFoundError):
            self._log.info("Rule %s does not exist or was already deleted", name)
            return
        # the permission is in the policy of the queue, which is deleted as well
        self._rule_deletion.delete(name, event_bus_name)
