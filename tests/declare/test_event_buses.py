from __future__ import annotations

import pytest
from botocore.stub import Stubber

from airflow_cwevents.exceptions import EventBusNotFoundError, InvalidInputError
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.conftest import Logged

BUS_ARN = "arn:aws:events:us-east-1:123456789012:event-bus/orders"


def test_bus_that_exists_passes(aws: None, hook: CloudWatchEventsHook, logged: Logged) -> None:
    hook.conn.create_event_bus(Name="orders")
    hook.check_event_bus("orders")
    assert logged("WARNING") == []


def test_arn_is_passed_unchanged(hook: CloudWatchEventsHook, events: Stubber) -> None:
    events.add_response("describe_event_bus", {"Name": "orders"}, {"Name": BUS_ARN})
    hook.check_event_bus(BUS_ARN)


@pytest.mark.parametrize("name", ["missing", "aws.partner/example.com/missing"])
def test_missing_bus(aws: None, hook: CloudWatchEventsHook, name: str) -> None:
    with pytest.raises(EventBusNotFoundError) as caught:
        hook.check_event_bus(name)
    assert caught.value.event_bus_name == name
    assert caught.value.permanent


@pytest.mark.parametrize("name", [None, "default", "arn:aws:events:us-east-1:123456789012:event-bus/default"])
def test_default_bus_is_not_described(hook: CloudWatchEventsHook, events: Stubber, name: str | None) -> None:
    hook.check_event_bus(name)


@pytest.mark.parametrize("name", ["", "arn:aws:events:us-east-1:123456789012:event-busv2/orders"])
def test_invalid_name_is_refused_before_any_request(hook: CloudWatchEventsHook, events: Stubber, name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        hook.check_event_bus(name)
    assert caught.value.place == "event_bus_name"


@pytest.mark.parametrize("code", ["AccessDeniedException", "InternalException", "ThrottlingException"])
def test_unreadable_bus_passes_with_a_warning(
    hook: CloudWatchEventsHook, events: Stubber, logged: Logged, code: str
) -> None:
    events.add_client_error("describe_event_bus", code, "no", expected_params={"Name": "orders"})
    hook.check_event_bus("orders")
    (warning,) = logged("WARNING")
    assert warning.args == ("orders", "no")
