"""Event queues on moto, with faults where AWS has them: the calls are real, their failures are injected."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from tenacity import wait_none

from airflow_cwevents._declare.event_queue_spec import OWNER_TAG, redrive_allow_attributes
from airflow_cwevents._declare.event_queue_sqs import OwnedQueues, Queue
from airflow_cwevents.exceptions import EventBusNotFoundError, EventQueueConflictError, InvalidInputError
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.conftest import LOGGER, Logged, Stub
from tests.declare.resources import create_key, create_queue, read_policy, source_arns

PATTERN = {"source": ["com.company.orders"]}
ACCOUNT = "us-east-1:123456789012"
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/{}"
ARN = f"arn:aws:sqs:{ACCOUNT}:{{}}"
RULE_ARN = f"arn:aws:events:{ACCOUNT}:rule/orders"
OURS = {OWNER_TAG: "default/orders"}
KEY_GRANT = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
    "Resource": "*",
}
READS = ("Get", "List", "Describe")
# What is different each time, and what only counts.
TIMES = ("CreatedTimestamp", "LastModifiedTimestamp")


@pytest.fixture(autouse=True)
def _aws(aws: None) -> None:
    """Use moto in all tests."""


class Killed(BaseException):
    """The end of the process."""


def create(hook: CloudWatchEventsHook, **arguments: Any) -> dict[str, str]:
    return hook.event_queues.create(**{"name": "orders", "event_pattern": PATTERN, **arguments})


def queues(hook: CloudWatchEventsHook) -> dict[str, dict[str, Any]]:
    """Return attributes and tags of all queues, by name."""
    sqs, found = hook.client("sqs"), {}
    for url in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        kept = {name: value for name, value in attributes.items() if name not in TIMES}
        found[url.rsplit("/", 1)[-1]] = {**kept, "tags": tags}
    return found


def state(hook: CloudWatchEventsHook) -> dict[str, Any]:
    """Return all that exists."""
    rules = {
        rule["Name"]: {**rule, "tags": hook._rules.tags(rule["Arn"]), "targets": list(hook.list_targets(rule["Name"]))}
        for rule in hook.list_rules()
    }
    return {"rules": rules, "queues": queues(hook)}


@contextmanager
def before_each_write(hook: CloudWatchEventsHook, call: Callable[[str], None]) -> Iterator[None]:
    """Call a function before each request that changes something, with the name of its operation."""

    def handler(model: Any, **_: Any) -> None:
        if not model.name.startswith(READS):
            call(model.name)

    clients = [hook.conn, hook.client("sqs")]
    for client in clients:
        client.meta.events.register("before-call", handler)
    yield
    for client in clients:
        client.meta.events.unregister("before-call", handler)


def writes_of(hook: CloudWatchEventsHook, action: Callable[[], object]) -> list[str]:
    names: list[str] = []
    with before_each_write(hook, names.append):
        action()
    return names


def kill_before(hook: CloudWatchEventsHook, number: int, action: Callable[[], object]) -> None:
    """Start an action, and kill it before the write with a number."""
    names: list[str] = []

    def kill(name: str) -> None:
        names.append(name)
        if len(names) > number:
            raise Killed

    with before_each_write(hook, kill), pytest.raises(Killed):
        action()


def fail_first(hook: CloudWatchEventsHook, operation: str, times: int, code: str, message: str = "no") -> list[str]:
    """Let the first requests of an operation fail, and return the list of all of them."""
    requests: list[str] = []

    def handler(**_: Any) -> None:
        requests.append(operation)
        if len(requests) <= times:
            raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    hook.client("sqs").meta.events.register(f"before-call.sqs.{operation}", handler)
    return requests


class TestCreate:
    def test_result(self, hook: CloudWatchEventsHook) -> None:
        assert create(hook) == {
            "queue_url": URL.format("orders"),
            "queue_arn": ARN.format("orders"),
            "rule_arn": RULE_ARN,
            "dead_letter_queue_url": URL.format("orders-dlq"),
        }

    def test_queue_rule_and_target(self, hook: CloudWatchEventsHook) -> None:
        create(hook, max_receive_count=3, message_retention_seconds=60, visibility_timeout=5, tags={"team": "data"})
        found = state(hook)
        queue, dead_letters = found["queues"]["orders"], found["queues"]["orders-dlq"]
        redrive = {"deadLetterTargetArn": ARN.format("orders-dlq"), "maxReceiveCount": 3}
        assert json.loads(queue["RedrivePolicy"]) == redrive
        assert [queue["MessageRetentionPeriod"], queue["VisibilityTimeout"]] == ["60", "5"]
        assert dead_letters["MessageRetentionPeriod"] == "1209600"
        assert queue["SqsManagedSseEnabled"] == dead_letters["SqsManagedSseEnabled"] == "true"
        rule = found["rules"]["orders"]
        assert json.loads(rule["EventPattern"]) == PATTERN
        undelivered = {"DeadLetterConfig": {"Arn": ARN.format("orders-dlq")}}
        assert rule["targets"] == [{"Id": "event-queue", "Arn": ARN.format("orders"), **undelivered}]
        assert rule["tags"] == queue["tags"] == dead_letters["tags"] == {**OURS, "team": "data"}

    @pytest.mark.parametrize("queue", ["orders", "orders-dlq"])
    def test_policy_is_for_this_rule_only(self, hook: CloudWatchEventsHook, queue: str) -> None:
        create(hook)
        (statement,) = read_policy(hook, ARN.format(queue))
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": RULE_ARN}}

    def test_only_the_queue_may_use_the_dead_letter_queue(self, hook: CloudWatchEventsHook) -> None:
        requests: list[dict[str, Any]] = []
        hook.client("sqs").meta.events.register(
            "provide-client-params.sqs.SetQueueAttributes", lambda params, **_: requests.append(params)
        )
        create(hook)
        allowed = redrive_allow_attributes(ARN.format("orders"))
        assert {"QueueUrl": URL.format("orders-dlq"), "Attributes": allowed} in requests  # moto does not return it
        assert json.loads(allowed["RedriveAllowPolicy"]) == {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [ARN.format("orders")],
        }

    def test_fifo(self, hook: CloudWatchEventsHook) -> None:
        result = create(hook, message_group_id="g")
        found = state(hook)
        assert set(found["queues"]) == {"orders.fifo", "orders-dlq.fifo"}
        assert {queue["FifoQueue"] for queue in found["queues"].values()} == {"true"}
        assert found["queues"]["orders.fifo"]["ContentBasedDeduplication"] == "true"
        (target,) = found["rules"]["orders"]["targets"]
        assert target == {"Id": "event-queue", "Arn": result["queue_arn"], "SqsParameters": {"MessageGroupId": "g"}}

    def test_on_a_bus(self, hook: CloudWatchEventsHook) -> None:
        hook.conn.create_event_bus(Name="sales")
        result = create(hook, event_bus_name="sales")
        assert result["rule_arn"] == f"arn:aws:events:{ACCOUNT}:rule/sales/orders"
        assert source_arns(hook, result["queue_arn"]) == [result["rule_arn"]]
        assert queues(hook)["orders"]["tags"] == {OWNER_TAG: "sales/orders"}

    def test_missing_bus_changes_nothing(self, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError):
            create(hook, event_bus_name="sales")
        assert state(hook) == {"rules": {}, "queues": {}}

    def test_invalid_input_sends_nothing(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        for service in ("events", "sqs", "kms"):
            stub(service)  # and no request
        with pytest.raises(InvalidInputError):
            create(hook, max_receive_count=0)


class TestUpdate:
    def test_up_to_date(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        before = state(hook)
        # CreateQueue finds out whether they were just deleted; moto forgets the RedriveAllowPolicy, then the policy
        assert writes_of(hook, lambda: create(hook)) == ["CreateQueue"] * 2 + ["SetQueueAttributes"] * 2
        assert state(hook) == before

    def test_result_is_the_same(self, hook: CloudWatchEventsHook) -> None:
        assert create(hook) == create(hook, visibility_timeout=5)

    def test_what_differs(self, hook: CloudWatchEventsHook) -> None:
        create(hook, tags={"team": "data", "stage": "test"})
        new = {"event_pattern": {"source": ["b"]}, "max_receive_count": 2, "visibility_timeout": 7}
        create(hook, **new, tags={"team": "orders"})
        found = state(hook)
        queue, rule = found["queues"]["orders"], found["rules"]["orders"]
        assert json.loads(queue["RedrivePolicy"])["maxReceiveCount"] == 2
        assert queue["VisibilityTimeout"] == "7"
        assert json.loads(rule["EventPattern"]) == {"source": ["b"]}
        assert rule["tags"] == queue["tags"] == found["queues"]["orders-dlq"]["tags"] == {**OURS, "team": "orders"}
        assert source_arns(hook, ARN.format("orders")) == [RULE_ARN]

    def test_no_tags_leaves_those_of_the_rule(self, hook: CloudWatchEventsHook) -> None:
        create(hook, tags={"team": "data"})
        create(hook)
        assert state(hook)["rules"]["orders"]["tags"] == {**OURS, "team": "data"}

    def test_other_statements_of_the_policy_stay(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        theirs = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "sqs:ReceiveMessage", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [theirs]}
        hook.client("sqs").set_queue_attributes(
            QueueUrl=URL.format("orders"), Attributes={"Policy": json.dumps(policy)}
        )
        create(hook)
        assert len(read_policy(hook, ARN.format("orders"))) == 2

    def test_disabled_rule_stays_disabled(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        hook.disable_rule("orders")
        create(hook, event_pattern={"source": ["b"]})
        assert hook.describe_rule("orders")["State"] == "DISABLED"

    def test_from_standard_to_fifo(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        result = create(hook, message_group_id="g")
        assert [target["Arn"] for target in hook.list_targets("orders")] == [result["queue_arn"]]
        hook.event_queues.delete("orders")
        assert state(hook) == {"rules": {}, "queues": {}}

    def test_kinds_of_encryption_change_one_after_the_other(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        """SQS refuses a key and its own encryption in one request."""
        sqs, url = stub("sqs"), URL.format("orders")
        for attributes in ({"KmsMasterKeyId": ""}, {"SqsManagedSseEnabled": "true"}):
            sqs.add_response("set_queue_attributes", {}, {"QueueUrl": url, "Attributes": attributes})
        queue = Queue("orders", url, {"KmsMasterKeyId": "alias/mine", "SqsManagedSseEnabled": "false"})
        owned = OwnedQueues(hook.client("sqs"), "default/orders", LOGGER, wait_none())
        assert owned.update(queue, {"KmsMasterKeyId": "", "SqsManagedSseEnabled": "true"})


class TestKey:
    def test_key_with_a_grant(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        key = create_key(hook, KEY_GRANT)
        create(hook, kms_key=key)
        assert {queue["KmsMasterKeyId"] for queue in queues(hook).values()} == {key}
        assert logged("WARNING") == []

    def test_key_without_a_grant_changes_nothing(self, hook: CloudWatchEventsHook) -> None:
        key = create_key(hook)
        with pytest.raises(InvalidInputError) as caught:
            create(hook, kms_key=key)
        assert caught.value.place == "kms_key"
        assert key in caught.value.reason
        assert "events.amazonaws.com" in caught.value.remedy
        assert state(hook) == {"rules": {}, "queues": {}}

    def test_key_that_may_not_be_read_is_used_with_a_warning(
        self, hook: CloudWatchEventsHook, stub: Stub, logged: Logged
    ) -> None:
        for _ in range(2):  # before anything is created, and when the target is put
            stub("kms").add_client_error("describe_key", "AccessDeniedException", "no")
        create(hook, kms_key="alias/mine")
        assert {queue["KmsMasterKeyId"] for queue in queues(hook).values()} == {"alias/mine"}
        assert ["kms:DescribeKey" in record.getMessage() for record in logged("WARNING")] == [True]


class TestNotOurs:
    @pytest.mark.parametrize("name", ["orders", "orders-dlq"])
    def test_queue(self, hook: CloudWatchEventsHook, name: str) -> None:
        create_queue(hook, name)
        before = state(hook)
        with pytest.raises(EventQueueConflictError) as caught:
            create(hook)
        assert caught.value.resource == f"queue {name!r}"
        assert caught.value.owner is None
        assert caught.value.tag == (OWNER_TAG, "default/orders")
        assert state(hook) == before

    def test_rule(self, hook: CloudWatchEventsHook) -> None:
        hook.put_rule("orders", event_pattern={"source": ["theirs"]})
        before = state(hook)
        with pytest.raises(EventQueueConflictError) as caught:
            create(hook)
        assert caught.value.resource == "rule 'orders'"
        assert state(hook) == before

    def test_event_queue_of_another_bus(self, hook: CloudWatchEventsHook) -> None:
        hook.conn.create_event_bus(Name="sales")
        create(hook)
        before = state(hook)
        with pytest.raises(EventQueueConflictError) as caught:
            create(hook, event_bus_name="sales")
        assert caught.value.owner == "default/orders"
        hook.event_queues.delete("orders", "sales")
        assert state(hook) == before

    def test_dead_letter_queue_is_no_event_queue(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        before = state(hook)
        with pytest.raises(EventQueueConflictError):
            create(hook, name="orders-dlq")
        hook.event_queues.delete("orders-dlq")
        assert state(hook) == before

    def test_queue_that_is_handed_over_by_its_tag(self, hook: CloudWatchEventsHook) -> None:
        create_queue(hook, "orders")
        with pytest.raises(EventQueueConflictError) as caught:
            create(hook)
        key, value = caught.value.tag
        hook.client("sqs").tag_queue(QueueUrl=URL.format("orders"), Tags={key: value})
        create(hook)
        assert "RedrivePolicy" in queues(hook)["orders"]

    def test_conflict_that_only_creation_finds(self, hook: CloudWatchEventsHook) -> None:
        """Another creates the queue between the check and the creation."""
        fail_first(hook, "GetQueueUrl", 2, "AWS.SimpleQueueService.NonExistentQueue")
        create_queue(hook, "orders-dlq")
        with pytest.raises(EventQueueConflictError):
            create(hook)


class TestDelete:
    def test_nothing_is_left(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        hook.event_queues.delete("orders")
        assert state(hook) == {"rules": {}, "queues": {}}

    def test_twice(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        hook.event_queues.delete("orders")
        assert writes_of(hook, lambda: hook.event_queues.delete("orders")) == []

    def test_others_stay(self, hook: CloudWatchEventsHook) -> None:
        create_queue(hook, "orders-2")
        hook.put_rule("orders-2", event_pattern=PATTERN)
        create(hook, name="order")
        before = state(hook)
        create(hook)
        hook.event_queues.delete("orders")
        assert state(hook) == before

    def test_queue_and_rule_of_the_name_that_are_not_ours_stay(
        self, hook: CloudWatchEventsHook, logged: Logged
    ) -> None:
        create_queue(hook, "orders")
        create_queue(hook, "orders-dlq")
        hook.put_rule("orders", event_pattern=PATTERN)
        before = state(hook)
        hook.event_queues.delete("orders")
        assert state(hook) == before
        assert len(logged("WARNING")) == 3

    def test_rule_with_other_targets_loses_only_its_own(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        create(hook)
        other = create_queue(hook, "other")
        hook.put_targets("orders", [{"Id": "other", "Arn": other}], grant_permissions=True)
        for _ in range(2):
            hook.event_queues.delete("orders")
            assert [target["Id"] for target in hook.list_targets("orders")] == ["other"]
            assert set(queues(hook)) == {"other"}
        assert [record.args for record in logged("WARNING")] == [("orders", "other")] * 2

    @pytest.mark.parametrize("part", ["rule", "target", "queue", "dead-letter queue", "bus"])
    def test_half_deleted(self, hook: CloudWatchEventsHook, part: str) -> None:
        hook.conn.create_event_bus(Name="sales")
        result = create(hook, event_bus_name="sales")
        sqs = hook.client("sqs")
        if part in ("rule", "bus"):
            hook.delete_rule("orders", "sales")
        if part == "bus":
            hook.conn.delete_event_bus(Name="sales")
        if part == "target":
            hook.remove_targets("orders", event_bus_name="sales")
        if part == "queue":
            sqs.delete_queue(QueueUrl=result["queue_url"])
        if part == "dead-letter queue":
            sqs.delete_queue(QueueUrl=result["dead_letter_queue_url"])
        hook.event_queues.delete("orders", "sales")
        assert queues(hook) == {}
        assert part == "bus" or list(hook.list_rules(event_bus_name="sales")) == []

    def test_queue_that_another_deletes_at_the_same_time(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        attempts = fail_first(hook, "DeleteQueue", 4, "AWS.SimpleQueueService.NonExistentQueue")
        hook.event_queues.delete("orders")
        assert len(attempts) == 2

    def test_other_failure_is_raised(self, hook: CloudWatchEventsHook) -> None:
        create(hook)
        fail_first(hook, "DeleteQueue", 1, "AccessDenied")
        with pytest.raises(ClientError):
            hook.event_queues.delete("orders")


class TestKilled:
    """Killed before each of its writes, and called again: the end is the same."""

    ARGUMENTS: ClassVar[dict[str, Any]] = {"visibility_timeout": 5, "tags": {"team": "data"}}
    GRANTS = ("SetQueueAttributes", "SetQueueAttributes")
    CREATING = ("CreateQueue", "CreateQueue", "SetQueueAttributes", "PutRule", *GRANTS, "PutTargets")
    DELETING = ("RemoveTargets", "DeleteRule", "DeleteQueue", "DeleteQueue")

    @pytest.mark.parametrize("number", range(len(CREATING)), ids=CREATING)
    def test_while_creating(self, hook: CloudWatchEventsHook, number: int) -> None:
        assert writes_of(hook, lambda: create(hook, **self.ARGUMENTS)) == list(self.CREATING)
        expected = state(hook)
        hook.event_queues.delete("orders")
        kill_before(hook, number, lambda: create(hook, **self.ARGUMENTS))
        create(hook, **self.ARGUMENTS)
        assert state(hook) == expected

    @pytest.mark.parametrize("number", range(len(CREATING)), ids=CREATING)
    def test_while_creating_and_then_deleted(self, hook: CloudWatchEventsHook, number: int) -> None:
        kill_before(hook, number, lambda: create(hook))
        hook.event_queues.delete("orders")
        assert state(hook) == {"rules": {}, "queues": {}}

    @pytest.mark.parametrize("number", range(len(DELETING)), ids=DELETING)
    def test_while_deleting(self, hook: CloudWatchEventsHook, number: int) -> None:
        create(hook)
        kill_before(hook, number, lambda: hook.event_queues.delete("orders"))
        hook.event_queues.delete("orders")
        assert state(hook) == {"rules": {}, "queues": {}}

    @pytest.mark.parametrize("number", range(len(DELETING)), ids=DELETING)
    def test_while_deleting_and_then_created(self, hook: CloudWatchEventsHook, number: int) -> None:
        create(hook)
        expected = state(hook)
        kill_before(hook, number, lambda: hook.event_queues.delete("orders"))
        create(hook)
        assert state(hook) == expected


class TestNewQueues:
    """SQS keeps the name of a deleted queue for a minute, and finds a new one only after a second."""

    @pytest.mark.parametrize("code", ["AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"])
    def test_deleted_recently(self, hook: CloudWatchEventsHook, code: str) -> None:
        attempts = fail_first(hook, "CreateQueue", 5, code)
        create(hook)
        assert len(attempts) == 5 + 2

    def test_deleted_recently_and_still_found(self, hook: CloudWatchEventsHook) -> None:
        """Other requests may succeed for a minute, so only CreateQueue may decide whether a queue exists."""
        create(hook)
        attempts = fail_first(hook, "CreateQueue", 2, "AWS.SimpleQueueService.QueueDeletedRecently")
        create(hook)
        assert len(attempts) == 2 + 2

    def test_name_is_never_released(self, hook: CloudWatchEventsHook) -> None:
        fail_first(hook, "CreateQueue", 1_000, "AWS.SimpleQueueService.QueueDeletedRecently")
        with pytest.raises(ClientError):
            create(hook)

    @pytest.mark.parametrize(
        ("operation", "code", "message"),
        [
            ("GetQueueAttributes", "AWS.SimpleQueueService.NonExistentQueue", "no"),
            ("CreateQueue", "InvalidParameterValue", "… Reason: Dead letter target does not exist."),
        ],
    )
    def test_not_found_yet(self, hook: CloudWatchEventsHook, operation: str, code: str, message: str) -> None:
        expected = create(hook)
        hook.event_queues.delete("orders")
        fail_first(hook, operation, 3, code, message)
        assert create(hook) == expected

    def test_queue_with_other_attributes(self, hook: CloudWatchEventsHook) -> None:
        """CreateQueue refuses it; AWS's code is one or the other by the protocol."""
        create(hook)
        for code in ("QueueAlreadyExists", "QueueNameExists"):
            fail_first(hook, "CreateQueue", 2, code)
            assert create(hook, visibility_timeout=9)["queue_url"] == URL.format("orders")

    def test_refused_creation_is_raised(self, hook: CloudWatchEventsHook) -> None:
        attempts = fail_first(hook, "CreateQueue", 1, "InvalidAttributeValue")
        with pytest.raises(ClientError):
            create(hook)
        assert len(attempts) == 1
