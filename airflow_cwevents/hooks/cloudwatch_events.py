"""The hook: the connection, its clients, and a flat façade of all operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.exceptions import NoRegionError

from airflow_cwevents._aws.client_config import tuned_config
from airflow_cwevents._aws.limits import MAX_REQUEST_BYTES, MAX_TARGETS_PER_RULE
from airflow_cwevents._aws.retries import RetryWaits
from airflow_cwevents._declare.diagnosis import Diagnosis
from airflow_cwevents._declare.event_buses import EventBuses
from airflow_cwevents._declare.event_queues import EventQueues
from airflow_cwevents._declare.permissions import Permissions
from airflow_cwevents._declare.rule_deletion import RuleDeletion
from airflow_cwevents._declare.rules import Rules
from airflow_cwevents._declare.targets import Targets
from airflow_cwevents._receive.queue import MessageQueue
from airflow_cwevents._send.codec import speed_up_put_events
from airflow_cwevents._send.options import SendOptions
from airflow_cwevents._send.run import EventSending
from airflow_cwevents.exceptions import InvalidInputError

if TYPE_CHECKING:
    from botocore.config import Config

    from airflow_cwevents._declare.diagnosis_report import RuleReport
    from airflow_cwevents._declare.target_spec import Target
    from airflow_cwevents._send.entries import Entry, EntryResult


class CloudWatchEventsHook(AwsBaseHook):
    """
    Declare rules and targets and send events with Amazon CloudWatch Events / EventBridge.

    A thick wrapper around :external+boto3:py:class:`boto3.client("events") <EventBridge.Client>`: it validates before
    the first request, retries transient failures, and reports each failed entry and target.

    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's, or boto3's own.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param config: settings of the botocore client, see :class:`botocore.config.Config`.

    .. seealso:: :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook`
    """

    #: How long to wait before another attempt.
    retry_waits = RetryWaits()

    def __init__(
        self,
        aws_conn_id: str | None = AwsBaseHook.default_conn_name,
        *,
        region_name: str | None = None,
        verify: bool | str | None = None,
        config: Config | dict[str, Any] | None = None,
    ) -> None:
        super().__init__(aws_conn_id, verify, region_name or None, client_type="events", config=config)
        self._clients: dict[str, Any] = {}

    @cached_property
    def conn(self) -> Any:
        """
        The boto3 client ``events``.

        :raises InvalidInputError: if neither parameter, connection nor environment name a region.
        """
        try:
            client = self.get_client_type(region_name=self.region_name, config=tuned_config(self.config))
        except NoRegionError:
            raise InvalidInputError(
                "region_name",
                "no AWS region is set",
                f"Pass region_name, or set it in the extra of connection {self.aws_conn_id!r}, or AWS_DEFAULT_REGION",
            ) from None
        speed_up_put_events(client)
        return client

    def client(self, service_name: str) -> Any:
        """
        Return a boto3 client of any service, with the same connection and region.

        :param service_name: the service's name in boto3, such as ``sqs``.
        :return: the client, the same each time.
        """
        if service_name == "events":
            return self.conn
        if service_name not in self._clients:
            hook = AwsBaseHook(
                self.aws_conn_id, self._verify, self.conn_region_name, client_type=service_name, config=self._config
            )
            self._clients[service_name] = hook.conn
        return self._clients[service_name]

    def put_rule(
        self,
        name: str,
        *,
        schedule_expression: str | None = None,
        event_pattern: Mapping[str, Any] | str | None = None,
        description: str | None = None,
        state: str | None = None,
        role_arn: str | None = None,
        event_bus_name: str | None = None,
        tags: Mapping[str, str] | Iterable[Mapping[str, str]] | None = None,
    ) -> str:
        """
        Create a rule, or update an existing one; do nothing if it is already up to date.

        AWS's PutRule replaces the rule: omitted members are removed. This method differs in two ways: a ``state`` of
        None keeps the rule's state instead of enabling it, and ``tags``, which PutRule ignores for an existing rule,
        are applied.

        :param name: the rule's name, 1 to 64 characters.
        :param schedule_expression: ``rate(…)`` or ``cron(…)``, in UTC, on the default bus only.
        :param event_pattern: the pattern that events have to match, as a dict or a JSON string.
        :param description: up to 512 characters.
        :param state: ``ENABLED``, ``DISABLED`` or ``ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS``; None keeps the
            current one, and enables a new rule.
        :param role_arn: the role of the rule. Targets are invoked through the role of the target.
        :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
        :param tags: a dict, or AWS's list of ``{"Key": …, "Value": …}``: the complete set of the rule's tags; None
            leaves them unchanged.
        :return: the rule's ARN.
        :raises InvalidInputError: if AWS would refuse the arguments; nothing was sent.
        :raises ManagedRuleError: if the rule belongs to an AWS service.
        :raises RoleNotAssumableError: if EventBridge still cannot assume the role after half a minute.
        :raises LimitExceededError: if the account's quota of rules on a bus is used up.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_rule`
        """
        return self._rules.put(
            name,
            schedule_expression=schedule_expression,
            event_pattern=event_pattern,
            description=description,
            state=state,
            role_arn=role_arn,
            event_bus_name=event_bus_name,
            tags=tags,
        )

    def describe_rule(self, name: str, event_bus_name: str | None = None) -> dict[str, Any]:
        """
        Describe a rule.

        :param name: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :return: the members of DescribeRule's response, such as ``Arn`` and ``State``.
        :raises RuleNotFoundError: if the rule does not exist.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.describe_rule`
        """
        return self._rules.describe(name, event_bus_name)

    def find_rule(self, name: str, event_bus_name: str | None = None) -> dict[str, Any] | None:
        """
        Describe a rule that may not exist.

        :param name: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :return: the same as :meth:`describe_rule`, or None.
        """
        return self._rules.find(name, event_bus_name)

    def list_rules(
        self, *, event_bus_name: str | None = None, name_prefix: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        List rules, requesting further pages as they are read.

        :param event_bus_name: name or ARN of the bus; None for the default bus.
        :param name_prefix: the beginning of the names; None for all.
        :return: the rules, as ListRules returns them.
        :raises EventBusNotFoundError: if the bus does not exist.

        .. seealso:: :external+boto3:py:class:`EventBridge.Paginator.ListRules`
        """
        return self._rules.list_rules(event_bus_name=event_bus_name, name_prefix=name_prefix)

    def enable_rule(self, name: str, event_bus_name: str | None = None) -> None:
        """
        Enable a rule.

        :param name: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :raises RuleNotFoundError: if the rule does not exist.
        :raises ManagedRuleError: if the rule belongs to an AWS service.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.enable_rule`
        """
        self._rules.enable(name, event_bus_name)

    def disable_rule(self, name: str, event_bus_name: str | None = None) -> None:
        """
        Disable a rule: it keeps its targets, but no longer matches or fires.

        :param name: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :raises RuleNotFoundError: if the rule does not exist.
        :raises ManagedRuleError: if the rule belongs to an AWS service.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.disable_rule`
        """
        self._rules.disable(name, event_bus_name)

    def delete_rule(
        self,
        name: str,
        event_bus_name: str | None = None,
        *,
        force: bool = False,
        revoke_permissions: bool = False,
    ) -> None:
        """
        Delete a rule and its targets; do nothing if the rule does not exist.

        :param name: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :param force: whether to delete a rule that belongs to an AWS service.
        :param revoke_permissions: whether to revoke the permissions that :meth:`put_targets` granted.
        :raises ManagedRuleError: if the rule belongs to an AWS service, and ``force`` is not set.
        :raises RevokePermissionsError: if permissions could not be revoked; the rule still has its targets.
        :raises RuleHasTargetsError: if AWS still sees targets after they were removed.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.delete_rule`
        """
        self._rule_deletion.delete(name, event_bus_name, force=force, revoke_permissions=revoke_permissions)

    def test_event_pattern(self, event_pattern: Mapping[str, Any] | str, event: Mapping[str, Any] | str) -> bool:
        """
        Ask AWS whether an event matches a pattern; :class:`~airflow_cwevents.patterns.EventPattern` decides locally.

        :param event_pattern: the pattern, as a dict or a JSON string.
        :param event: the event as it is delivered, with ``id``, ``account``, ``source``, ``time``, ``region``,
            ``resources`` and ``detail-type``, as a dict or a JSON string.
        :return: whether it matches.
        :raises InvalidEventPatternError: if AWS would refuse the pattern.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.test_event_pattern`
        """
        return self._rules.test_event_pattern(event_pattern, event)

    def list_targets(self, rule: str, event_bus_name: str | None = None) -> Iterator[dict[str, Any]]:
        """
        List the targets of a rule, requesting further pages as they are read.

        :param rule: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :return: the targets, as PutTargets takes them.
        :raises RuleNotFoundError: if the rule does not exist.

        .. seealso:: :external+boto3:py:class:`EventBridge.Paginator.ListTargetsByRule`
        """
        return self._targets.list_targets(rule, event_bus_name)

    def put_targets(
        self,
        rule: str,
        targets: Iterable[Target | Mapping[str, Any]],
        *,
        event_bus_name: str | None = None,
        prune: bool = False,
        grant_permissions: bool = False,
        max_targets: int = MAX_TARGETS_PER_RULE,
    ) -> list[str]:
        """
        Put targets on a rule: those that are new, and those that differ.

        :param rule: the rule's name.
        :param targets: the targets, with AWS's member names; ``Input`` and ``InputTemplate`` as JSON strings, or as
            values that JSON can express.
        :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
        :param prune: whether to treat the list as the complete set, and remove the rule's other targets: as many as
            necessary before the new ones are put, the rest afterwards.
        :param grant_permissions: whether to allow EventBridge to invoke targets in the targets' own policies.
        :param max_targets: the account's quota of targets per rule.
        :return: the ids of the targets, in input order.
        :raises InvalidTargetError: if AWS would refuse a target, or could never invoke it; nothing was sent.
        :raises RuleNotFoundError: if the rule does not exist.
        :raises GrantPermissionsError: if the policy of a target could not be changed; no target was put.
        :raises PutTargetsError: if AWS refused some of the targets.
        :raises LimitExceededError: if the account's quota of targets per rule is used up.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_targets`
        """
        return self._targets.put(
            rule,
            targets,
            event_bus_name=event_bus_name,
            prune=prune,
            grant_permissions=grant_permissions,
            max_targets=max_targets,
        )

    def remove_targets(
        self,
        rule: str,
        target_ids: Iterable[str] | None = None,
        *,
        event_bus_name: str | None = None,
        force: bool = False,
        revoke_permissions: bool = False,
    ) -> list[str]:
        """
        Remove targets from a rule.

        Permissions are revoked first, so that a target whose permission could not be revoked is still there for the
        next attempt. A target that then cannot be removed stays on the rule without its permission.

        :param rule: the rule's name.
        :param target_ids: the ids of the targets; None for all. Ids that the rule does not have are ignored.
        :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
        :param force: whether to remove targets of a rule that belongs to an AWS service.
        :param revoke_permissions: whether to revoke the permissions that :meth:`put_targets` granted.
        :return: the ids of the targets that were removed.
        :raises RuleNotFoundError: if the rule does not exist.
        :raises ManagedRuleError: if the rule belongs to an AWS service, and ``force`` is not set.
        :raises RevokePermissionsError: if permissions could not be revoked; no target was removed.
        :raises RemoveTargetsError: if AWS did not remove some of them.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.remove_targets`
        """
        return self._targets.remove(
            rule, target_ids, event_bus_name=event_bus_name, force=force, revoke_permissions=revoke_permissions
        )

    def check_targets(
        self,
        rule: str,
        event_bus_name: str | None = None,
        *,
        sample_event: Mapping[str, Any] | str | None = None,
    ) -> RuleReport:
        """
        Diagnose whether EventBridge can invoke the targets of a rule, as far as the credentials allow.

        :param rule: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :param sample_event: an event, as it is delivered, that the rule should match, as a dict or a JSON string.
        :return: the findings.
        :raises InvalidInputError: if the sample event is not a JSON object.
        :raises RuleNotFoundError: if the rule does not exist.
        """
        return self._diagnosis.check(rule, event_bus_name, sample_event=sample_event)

    def grant_permissions(self, rule_arn: str, targets: Iterable[Mapping[str, Any]]) -> None:
        """
        Allow EventBridge to invoke targets on behalf of a rule, in the targets' own policies.

        Other statements of the policies stay. The policies of API Gateway belong to those who deploy the API; the
        statement that they need is logged.

        :param rule_arn: the rule's ARN.
        :param targets: the targets, as PutTargets takes them. Those with a role need no permission.
        :raises GrantPermissionsError: if a policy could not be changed.
        """
        self._permissions.grant(rule_arn, targets)

    def revoke_permissions(
        self,
        rule_arn: str,
        targets: Iterable[Mapping[str, Any]],
        kept: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """
        Revoke the permissions that :meth:`grant_permissions` granted, and no others. Every target is attempted.

        :param rule_arn: the rule's ARN.
        :param targets: the targets. Missing resources are ignored.
        :param kept: the rule's other targets, whose permissions stay.
        :raises RevokePermissionsError: if policies could not be changed.
        """
        self._permissions.revoke(rule_arn, targets, kept)

    def check_event_bus(self, event_bus_name: str | None) -> None:
        """
        Make sure that a bus exists, as far as the credentials allow. AWS drops events for a missing bus.

        :param event_bus_name: the bus's name or ARN. The default bus always exists, and is not looked up.
        :raises InvalidInputError: if the bus belongs to another API.
        :raises EventBusNotFoundError: if the bus does not exist.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.describe_event_bus`
        """
        self._event_buses.check(event_bus_name)

    def put_events(self, entries: Iterable[Entry | Mapping[str, Any]], **options: Any) -> list[EntryResult]:
        """
        Send events, and return when all are sent: concurrently, with retries of those that failed transiently.

        :param entries: the entries, see :meth:`stream_events`.
        :param options: the keyword arguments of :meth:`stream_events`.
        :return: a result for each entry, in input order.
        :raises InvalidInputError: if a parameter, or an entry of a list or tuple, is invalid; nothing was sent.
        :raises EventBusNotFoundError: if a bus does not exist.
        :raises PutEventsStoppedError: if sending was stopped, or all requests failed for five minutes.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_events`
        """
        return list(self.stream_events(entries, **options))

    def stream_events(
        self,
        entries: Iterable[Entry | Mapping[str, Any]],
        *,
        event_bus_name: str | None = None,
        endpoint_id: str | None = None,
        check_event_bus: bool = True,
        max_bytes: int = MAX_REQUEST_BYTES,
        max_concurrency: int = 16,
        max_attempts: int = 10,
        max_retry_seconds: float = 300.0,
        max_events_per_second: float | None = None,
    ) -> Iterator[EntryResult]:
        """
        Send events while the results are iterated over, in bounded memory: the lazy form of :meth:`put_events`.

        A list or tuple is validated as a whole before anything is sent. Of any other iterable, each entry is validated
        in its turn, and an invalid one becomes a failed result. Dropping the iterator stops sending.

        :param entries: the entries, with AWS's member names; ``Detail`` as a dict or a JSON string, ``Time`` as a
            datetime or an ISO 8601 string. A generator is read only as far ahead as the requests need.
        :param event_bus_name: name or ARN of the bus for entries that name none; None for the default bus.
        :param endpoint_id: the id of a global endpoint, such as ``abcde.veo``; needs ``botocore[crt]``.
        :param check_event_bus: whether to make sure that each named bus exists, as AWS drops events for a missing one.
            Without the permission events:DescribeEventBus there is a warning.
        :param max_bytes: the maximum size of a request, in bytes; some regions still have 262,144.
        :param max_concurrency: the maximum number of requests in flight, 1 to 256; fewer while AWS throttles.
        :param max_attempts: the maximum number of attempts for an entry.
        :param max_retry_seconds: how long after its first failure an entry is still retried, in seconds.
        :param max_events_per_second: the maximum rate; None for as fast as AWS accepts.
        :return: an iterator of :class:`~airflow_cwevents.hooks.EntryResult`, one for each entry, in input order. At its
            end it raises :class:`~airflow_cwevents.exceptions.PutEventsStoppedError` if sending was stopped, or if all
            requests failed for five minutes.
        :raises InvalidInputError: if a parameter, or an entry of a list or tuple, is invalid; nothing was sent.
        :raises EventBusNotFoundError: if a bus does not exist.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_events`
        """
        options = SendOptions(
            max_bytes=max_bytes,
            max_concurrency=max_concurrency,
            max_attempts=max_attempts,
            max_retry_seconds=max_retry_seconds,
            max_events_per_second=max_events_per_second,
        )
        preparation = self._sending.preparation(event_bus_name, max_bytes, check_event_bus=check_event_bus)
        return self._sending.start(preparation.prepare(entries), options, endpoint_id)

    def message_queue(self, queue_url: str) -> MessageQueue:
        """
        Return the messages of an SQS queue.

        :param queue_url: the queue's URL.
        :return: an object that receives, hides and deletes its messages.
        """
        return MessageQueue(self.client("sqs"), queue_url)

    def stop_sending(self) -> None:
        """
        Stop sending; safe in a signal handler.

        Every iterator of :meth:`stream_events` yields the results known by then, and raises
        :class:`~airflow_cwevents.exceptions.PutEventsStoppedError`.
        """
        self._sending.stop()

    @cached_property
    def event_queues(self) -> EventQueues:
        """Event queues: ``event_queues.create(…)`` and ``event_queues.delete(…)``."""
        return EventQueues(
            self.client, self._rules, self._targets, self._rule_deletion, self.log, self.retry_waits.queue
        )

    @cached_property
    def _event_buses(self) -> EventBuses:
        return EventBuses(self.conn, self.log)

    @cached_property
    def _rules(self) -> Rules:
        return Rules(self.conn, self.log, self.retry_waits.rule)

    @cached_property
    def _permissions(self) -> Permissions:
        return Permissions(self.client, self.log, self.retry_waits.policy)

    @cached_property
    def _targets(self) -> Targets:
        return Targets(self.conn, self._rules, self._permissions, self.log, self.retry_waits.target)

    @cached_property
    def _rule_deletion(self) -> RuleDeletion:
        return RuleDeletion(self.conn, self._rules, self._targets, self.log, self.retry_waits.target)

    @cached_property
    def _diagnosis(self) -> Diagnosis:
        return Diagnosis(self.client, self._rules, self._targets)

    @cached_property
    def _sending(self) -> EventSending:
        return EventSending(self.conn, self._event_buses.check)
