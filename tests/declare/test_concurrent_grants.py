"""Tasks that change the policy of one queue at the same time: none loses what it added, or keeps what it removed."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from itertools import permutations
from typing import Any

import pytest
from tenacity import RetryCallState, wait_none

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.retries import RetryWaits
from airflow_cwevents._declare.document_policies import QueuePolicy
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.iam.documents import Statement
from airflow_cwevents.iam.grants import Grant, target_grants
from tests.declare.resources import RULE_ARN, create_queue, set_queue_policy, source_arns

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
THEIRS = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "sqs:ReceiveMessage"}
PATIENCE = 10
# who reads and writes when, each task one of each: both have written before one looks whether its change is still there
INTERLEAVINGS = sorted({"".join(order) for order in permutations("AABB")})


def grants(name: str) -> list[Grant]:
    return target_grants({"Id": "t", "Arn": QUEUE}, f"{RULE_ARN}-{name}")


def sid(name: str) -> str:
    return grants(name)[0].sid


class ScriptedQueue:
    """
    An SQS queue whose reads and writes come in a scripted order.

    :param script: the names of the tasks, each as often as it is to read or write; then they may go as they like.
    """

    def __init__(self, script: str, *present: Statement) -> None:
        self.attributes = {"Policy": json.dumps({"Statement": list(present)})}
        self._script = deque(script)
        self._running = set(script)
        self._turn = threading.Condition()

    @property
    def sids(self) -> list[str]:
        return [statement["Sid"] for statement in json.loads(self.attributes["Policy"])["Statement"]]

    def run(self, **tasks: Callable[[QueuePolicy], object]) -> None:
        """Run tasks at the same time, each with a name from the script."""
        threads = [threading.Thread(target=self._run, args=item, daemon=True) for item in tasks.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert not self._running

    def _run(self, name: str, task: Callable[[QueuePolicy], object]) -> None:
        arn = Arn.parse(QUEUE)
        assert arn is not None
        task(QueuePolicy(ScriptedSqs(self, name), arn, wait_none()))
        with self._turn:
            self._running.discard(name)
            self._turn.notify_all()

    @contextmanager
    def turn(self, name: str) -> Any:
        with self._turn:
            assert self._turn.wait_for(lambda: self._may_go(name), PATIENCE)
            yield
            if self._script:
                self._script.popleft()
            self._turn.notify_all()

    def _may_go(self, name: str) -> bool:
        while self._script and self._script[0] not in self._running:
            self._script.popleft()
        return not self._script or self._script[0] == name


class ScriptedSqs:
    """What a task sees of the queue: a boto3 client ``sqs``."""

    def __init__(self, queue: ScriptedQueue, task: str) -> None:
        self._queue = queue
        self._task = task

    def get_queue_url(self, **_: str) -> dict[str, str]:
        return {"QueueUrl": "https://q"}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        with self._queue.turn(self._task):
            return {"Attributes": dict(self._queue.attributes)}

    def set_queue_attributes(self, *, Attributes: dict[str, str], **_: str) -> None:  # noqa: N803
        with self._queue.turn(self._task):
            self._queue.attributes |= Attributes


@pytest.mark.parametrize("script", INTERLEAVINGS)
def test_two_tasks_add(script: str) -> None:
    queue = ScriptedQueue(script, THEIRS)
    queue.run(A=lambda policy: policy.add(grants("a")), B=lambda policy: policy.add(grants("b")))
    assert sorted(queue.sids) == sorted(["theirs", sid("a"), sid("b")])


@pytest.mark.parametrize("script", INTERLEAVINGS)
def test_one_adds_and_one_removes(script: str) -> None:
    queue = ScriptedQueue(script, THEIRS, grants("b")[0].statement)
    queue.run(A=lambda policy: policy.add(grants("a")), B=lambda policy: policy.remove(grants("b")))
    assert queue.sids == ["theirs", sid("a")]


@pytest.mark.parametrize("script", INTERLEAVINGS)
def test_two_tasks_add_the_same(script: str) -> None:
    queue = ScriptedQueue(script, THEIRS)
    queue.run(A=lambda policy: policy.add(grants("a")), B=lambda policy: policy.add(grants("a")))
    assert queue.sids == ["theirs", sid("a")]


@pytest.mark.parametrize("script", ["ABCABCABAB", "ABCCBABABA", "AABCBCBB"])
def test_three_tasks_add(script: str) -> None:
    queue = ScriptedQueue(script, THEIRS)
    queue.run(**{name: lambda policy, name=name: policy.add(grants(name)) for name in "ABC"})
    assert sorted(queue.sids) == sorted(["theirs", *(sid(name) for name in "ABC")])


def test_two_threads_on_moto(aws: None, hook: CloudWatchEventsHook) -> None:
    """Both read before one writes, and both have written before one looks: the worst case, and a real client."""
    create_queue(hook)
    set_queue_policy(hook, THEIRS)
    both_read, both_wrote = threading.Barrier(2), threading.Barrier(2)

    def grant(number: int) -> None:
        writes = 0

        def before_writing(**_: Any) -> None:
            nonlocal writes
            writes += 1
            if writes == 1:
                both_read.wait(PATIENCE)

        def settle(state: RetryCallState) -> float:
            if state.attempt_number == 1:
                both_wrote.wait(PATIENCE)
            return 0

        task = CloudWatchEventsHook(None, region_name="us-east-1")
        task.retry_waits = RetryWaits(policy=settle)  # type: ignore[arg-type]
        task.client("sqs").meta.events.register("before-call.sqs.SetQueueAttributes", before_writing)
        task.grant_permissions(f"{RULE_ARN}-{number}", [{"Id": "t", "Arn": QUEUE}])

    threads = [threading.Thread(target=grant, args=(number,), daemon=True) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    assert sorted(source_arns(hook, QUEUE)) == [f"{RULE_ARN}-0", f"{RULE_ARN}-1"]
    assert not both_read.broken
    assert not both_wrote.broken
