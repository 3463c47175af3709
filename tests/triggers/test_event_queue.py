from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from airflow_cwevents._airflow.compat import BaseEventTrigger
from airflow_cwevents.exceptions import InvalidEventPatternError, InvalidInputError
from airflow_cwevents.triggers import EventQueueTrigger
from airflow_cwevents.triggers import event_queue as module
from tests.airflow_versions import module_of_airflow_3
from tests.receive.queues import URL

sdk = module_of_airflow_3("airflow.sdk", "Asset watchers")

ARGUMENTS: dict[str, Any] = {
    "queue_url": URL,
    "event_pattern": {"source": ["shop"], "detail": {"number": [{"numeric": [">", 1]}]}},
    "unmatched": "delete",
    "wait_seconds": 5,
    "visibility_timeout": 30,
    "retry_delay": 0,
    "aws_conn_id": None,
    "region_name": "eu-west-1",
    "verify": False,
    "botocore_config": {"read_timeout": 70, "proxies": {"https": "http://127.0.0.1:1"}},
}


def stored_and_read_again(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return a trigger's arguments as the database returns them."""
    from airflow.models.trigger import Trigger

    read: dict[str, Any] = Trigger._decrypt_kwargs(Trigger.encrypt_kwargs(kwargs))
    return read


@pytest.mark.parametrize("arguments", [{"queue_url": URL}, ARGUMENTS])
def test_serialized_trigger_is_the_same_after_the_database(arguments: dict[str, Any]) -> None:
    path, kwargs = EventQueueTrigger(**arguments).serialize()
    read = stored_and_read_again(kwargs)
    copy = EventQueueTrigger(**read)
    assert path == f"{module.__name__}.EventQueueTrigger"
    assert copy.serialize() == (path, kwargs)
    assert copy.shared_stream_key() == EventQueueTrigger(**arguments).shared_stream_key()
    # otherwise Airflow re-creates the trigger each time that it reads the DAG file
    assert BaseEventTrigger.hash(path, read) == BaseEventTrigger.hash(path, kwargs)


def test_identical_triggers_have_the_same_hash() -> None:
    reordered = dict(reversed(ARGUMENTS["event_pattern"].items()))
    same = [
        EventQueueTrigger(**ARGUMENTS | {"event_pattern": pattern})
        for pattern in (ARGUMENTS["event_pattern"], reordered, json.dumps(reordered, indent=1))
    ]
    assert len({BaseEventTrigger.hash(*trigger.serialize()) for trigger in same}) == 1
    other = EventQueueTrigger(**ARGUMENTS | {"event_pattern": {"source": ["other"]}})
    assert BaseEventTrigger.hash(*other.serialize()) != BaseEventTrigger.hash(*same[0].serialize())


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name not in ("event_pattern", "unmatched")])
def test_all_that_polling_uses_is_in_the_key(name: str) -> None:
    value = "https://sqs.us-east-1.amazonaws.com/1/other" if name == "queue_url" else ARGUMENTS[name]
    one, other = EventQueueTrigger(queue_url=URL), EventQueueTrigger(**{"queue_url": URL} | {name: value})
    assert one.shared_stream_key() != other.shared_stream_key()
    hash(other.shared_stream_key())


def test_triggers_that_differ_in_their_pattern_share_a_stream() -> None:
    one = EventQueueTrigger(**ARGUMENTS)
    other = EventQueueTrigger(**ARGUMENTS | {"event_pattern": None, "unmatched": "keep"})
    assert one.shared_stream_key() == other.shared_stream_key()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue_url", ""),
        ("queue_url", None),
        ("queue_url", "{{ var.value.queue_url }}"),
        ("unmatched", "drop"),
        ("wait_seconds", 21),
        ("wait_seconds", -1),
        ("wait_seconds", True),
        ("visibility_timeout", 4),
        ("visibility_timeout", 43_201),
        ("visibility_timeout", 7.5),
        ("retry_delay", -1),
    ],
)
def test_invalid_argument_raises_when_the_dag_file_is_parsed(name: str, value: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        EventQueueTrigger(**{"queue_url": URL} | {name: value})
    assert caught.value.place == name


def test_invalid_pattern_raises_when_the_dag_file_is_parsed() -> None:
    with pytest.raises(InvalidEventPatternError):
        EventQueueTrigger(queue_url=URL, event_pattern={"source": "shop"})


def test_watcher_takes_the_trigger() -> None:
    watcher = sdk.AssetWatcher(name="orders", trigger=EventQueueTrigger(queue_url=URL))
    assert sdk.Asset("orders", watchers=[watcher]).watchers == [watcher]


def test_queue_is_opened_with_the_connection_of_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_cwevents.hooks import CloudWatchEventsHook

    hooks: list[CloudWatchEventsHook] = []

    def message_queue(hook: CloudWatchEventsHook, url: str) -> str:
        hooks.append(hook)
        return url

    monkeypatch.setattr(CloudWatchEventsHook, "message_queue", message_queue)
    config = {"read_timeout": 70}
    assert EventQueueTrigger(**ARGUMENTS | {"botocore_config": config})._message_queue() == URL  # type: ignore[comparison-overlap]
    client = hooks[0].client("sqs")
    assert client.meta.region_name == "eu-west-1"
    assert client.meta.config.read_timeout == 70
    assert client._endpoint.http_session._verify is False


def test_import_of_triggers_imports_no_boto3() -> None:
    code = (
        "import sys; from airflow_cwevents.triggers import EventQueueTrigger, triggering_events;"
        f"EventQueueTrigger(queue_url={URL!r}, event_pattern={{'source': ['a']}}).serialize();"
        "print({'boto3', 'botocore'} & sys.modules.keys())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().splitlines()[-1] == "set()"
