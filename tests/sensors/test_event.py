from __future__ import annotations

from typing import Any

import pytest

from airflow_cwevents._airflow.compat import AirflowException, AirflowSensorTimeout, AirflowSkipException
from airflow_cwevents._receive.queue import MessageQueue
from airflow_cwevents.exceptions import EventQueueNotFoundError, InvalidEventPatternError, InvalidInputError
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.sensors import EventSensor
from airflow_cwevents.triggers.event_sensor import EventSensorTrigger
from tests.airflow_versions import DeferralTimeout, TaskDeferred, needs_airflow
from tests.failures import fails_with
from tests.receive.messages import event_of, send, visible

PATTERN = {"source": ["shop"]}
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventSensor, "wait_seconds", 0)


@pytest.fixture
def url(aws: None, hook: CloudWatchEventsHook) -> str:
    return str(hook.client("sqs").create_queue(QueueName="q")["QueueUrl"])


def sensor(queue_url: str = URL, **arguments: Any) -> EventSensor:
    return EventSensor(task_id="wait", aws_conn_id=None, queue_url=queue_url, **{"poke_interval": 0, **arguments})


RESCHEDULE = pytest.param("reschedule", marks=needs_airflow("3.0", "Rescheduling without a database"))


@pytest.mark.parametrize("mode", ["poke", RESCHEDULE])
def test_event_is_returned_in_a_list_and_stays(hook: CloudWatchEventsHook, url: str, mode: str) -> None:
    send(hook, url, event_of(0))
    for _ in range(2):  # as a retry would
        assert sensor(url, mode=mode).execute(context_of(mode)) == [event_of(0)]
    assert visible(hook, url) == 1


def context_of(mode: str) -> Any:
    class TaskInstance:
        def get_first_reschedule_date(self, context: Any) -> None:
            return None

    return {"ti": TaskInstance()} if mode == "reschedule" else {}


def test_waits_over_several_pokes(hook: CloudWatchEventsHook, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(3))
    monkeypatch.setattr("time.sleep", lambda _: send(hook, url, event_of(next(numbers))))
    events = sensor(url, min_events=3).execute({})
    assert events == [event_of(number) for number in range(3)]
    assert visible(hook, url) == 3


def test_pattern_selects(hook: CloudWatchEventsHook, url: str) -> None:
    send(hook, url, event_of(0, "other"), event_of(1))
    assert sensor(url, event_pattern=PATTERN).execute({}) == [event_of(1)]
    assert visible(hook, url) == 2


@pytest.mark.parametrize(("soft_fail", "expected"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
def test_timeout(hook: CloudWatchEventsHook, url: str, soft_fail: bool, expected: type[Exception]) -> None:
    send(hook, url, event_of(0))
    with pytest.raises(expected):
        sensor(url, min_events=2, timeout=0, soft_fail=soft_fail).execute({})
    assert visible(hook, url) == 1


def test_killed_sensor_puts_back(hook: CloudWatchEventsHook, url: str) -> None:
    send(hook, url, event_of(0))
    task = sensor(url, min_events=2)
    task.poke({})
    assert visible(hook, url) == 0
    task.on_kill()
    assert visible(hook, url) == 1


def test_missing_queue_fails_after_a_few_pokes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    with pytest.raises(EventQueueNotFoundError):
        sensor(f"{url}-missing").execute({})
    assert slept == [0] * 4


def test_transient_error_does_not_end_the_wait(
    hook: CloudWatchEventsHook, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(hook, url, event_of(0))
    receive, failures = MessageQueue.receive, [ConnectionError("not botocore's")]

    def failing(self: MessageQueue, *arguments: Any, **options: Any) -> Any:
        from botocore.exceptions import EndpointConnectionError

        if failures:
            failures.pop()
            raise EndpointConnectionError(endpoint_url=self.url)
        return receive(self, *arguments, **options)

    monkeypatch.setattr(MessageQueue, "receive", failing)
    assert sensor(url).execute({}) == [event_of(0)]


def test_deferrable_passes_everything_to_the_trigger() -> None:
    task = EventSensor(
        task_id="wait",
        aws_conn_id="shop",
        region_name="eu-west-1",
        verify=False,
        botocore_config={"read_timeout": 30},
        queue_url=URL,
        event_pattern=PATTERN,
        min_events=3,
        poke_interval=7,
        timeout=90,
        deferrable=True,
    )
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    assert deferred.value.timeout is not None
    assert deferred.value.timeout.total_seconds() == 90
    trigger = deferred.value.trigger
    assert isinstance(trigger, EventSensorTrigger)
    assert trigger.serialize() == (
        "airflow_cwevents.triggers.event_sensor.EventSensorTrigger",
        {
            "queue_url": URL,
            "event_pattern": '{"source":["shop"]}',
            "min_events": 3,
            "poke_interval": 7,
            "aws_conn_id": "shop",
            "region_name": "eu-west-1",
            "verify": False,
            "botocore_config": {"read_timeout": 30},
        },
    )


@pytest.mark.parametrize("min_events", [1, 2])
def test_event_that_is_there_needs_no_triggerer(hook: CloudWatchEventsHook, url: str, min_events: int) -> None:
    send(hook, url, event_of(0))
    task = sensor(url, deferrable=True, min_events=min_events)
    if min_events == 1:
        assert task.execute({}) == [event_of(0)]
    else:
        with pytest.raises(TaskDeferred):
            task.execute({})
    assert visible(hook, url) == 1


def test_nothing_there_defers(url: str) -> None:
    with pytest.raises(TaskDeferred):
        sensor(url, deferrable=True).execute({})


def resumed(task: EventSensor, event: Any) -> Any:
    return task.resume_execution("execute_complete", {"event": event}, {})


def test_resumed_task_returns_the_events() -> None:
    assert resumed(sensor(), {"events": [event_of(0)]}) == [event_of(0)]


@pytest.mark.parametrize(("soft_fail", "expected"), [(False, AirflowException), (True, AirflowSkipException)])
def test_failed_trigger_fails_the_task(soft_fail: bool, expected: type[Exception]) -> None:
    with pytest.raises(expected) as caught:
        resumed(sensor(soft_fail=soft_fail), {"error": "Queue q does not exist"})
    assert soft_fail or str(caught.value) == "Queue q does not exist"


@pytest.mark.parametrize(("soft_fail", "expected"), [(False, DeferralTimeout), (True, AirflowSkipException)])
def test_timeout_of_the_trigger(soft_fail: bool, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        sensor(soft_fail=soft_fail).resume_execution("__fail__", {"error": "Trigger timeout"}, {})


class TestInvalidArguments:
    def test_pattern(self) -> None:
        with fails_with(InvalidEventPatternError):
            sensor(event_pattern={"source": "shop"})

    @pytest.mark.parametrize(
        "arguments",
        [
            {"min_events": 0},
            {"min_events": 2, "queue_url": f"{URL}.fifo"},
            {"min_events": 2, "mode": "reschedule"},
        ],
    )
    def test_number_of_events(self, arguments: dict[str, Any]) -> None:
        with fails_with(InvalidInputError, "min_events"):
            sensor(**arguments)

    def test_templates_are_validated_when_the_task_runs(self, url: str) -> None:
        task = sensor(url, min_events="{{ params.count }}", event_pattern="{{ params.pattern }}")
        task.render_template_fields({"params": {"count": 0, "pattern": "{}"}})
        with fails_with(InvalidInputError):
            task.execute({})

    @pytest.mark.parametrize(
        "arguments",
        [
            {"min_events": 1, "queue_url": f"{URL}.fifo"},
            {"min_events": 2, "mode": "reschedule", "deferrable": True},
            {"min_events": "{{ params.count }}", "queue_url": f"{URL}.fifo"},
        ],
    )
    def test_valid_ones(self, arguments: dict[str, Any]) -> None:
        assert sensor(**arguments)
