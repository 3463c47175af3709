from __future__ import annotations

import pytest

from airflow_cwevents._aws.arns import Arn, bus_members, bus_name_of, check_event_bus_name, is_default_bus
from airflow_cwevents.exceptions import InvalidInputError

BUS_ARN = "arn:aws:events:us-east-1:123456789012:event-bus"
V2_BUS_ARN = "arn:aws:events:us-east-1:123456789012:event-busv2/orders"
PARTNER_BUS = "aws.partner/example.com/acct/orders"


class TestParse:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("arn:aws:sqs:us-east-1:123456789012:q", ("aws", "sqs", "us-east-1", "123456789012", "q")),
            ("arn:aws-cn:s3:::bucket", ("aws-cn", "s3", "", "", "bucket")),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f:live",
                ("aws", "lambda", "us-east-1", "123456789012", "function:f:live"),
            ),
            (
                f"{BUS_ARN}/{PARTNER_BUS}",
                ("aws", "events", "us-east-1", "123456789012", f"event-bus/{PARTNER_BUS}"),
            ),
        ],
    )
    def test_parts(self, text: str, parts: tuple[str, ...]) -> None:
        arn = Arn.parse(text)
        assert arn == parts
        assert str(arn) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "q",
            "arn",
            "arn:aws:sqs:us-east-1:123456789012",
            "arn:aws:sqs:us-east-1:123456789012:",
            "arn::sqs:us-east-1:123456789012:q",
            "arn:aws::us-east-1:123456789012:q",
            "ARN:aws:sqs:us-east-1:123456789012:q",
            " arn:aws:sqs:us-east-1:123456789012:q",
            "https://sqs.us-east-1.amazonaws.com/123456789012/q",
        ],
    )
    def test_other_strings_are_not_arns(self, text: str) -> None:
        assert Arn.parse(text) is None


class TestEventBusName:
    @pytest.mark.parametrize("name", [None, "default", "orders", PARTNER_BUS, f"{BUS_ARN}/orders"])
    def test_bus_of_this_api(self, name: str | None) -> None:
        check_event_bus_name(name)
        assert bus_members(name) == ({} if name is None else {"EventBusName": name})

    @pytest.mark.parametrize("name", ["", 7, ["orders"], {"Name": "orders"}])
    def test_invalid_name_raises(self, name: object) -> None:
        with pytest.raises(InvalidInputError) as caught:
            check_event_bus_name(name, "entries[3].EventBusName")  # type: ignore[arg-type]
        assert caught.value.place == "entries[3].EventBusName"
        assert caught.value.value == name

    @pytest.mark.parametrize("call", [check_event_bus_name, bus_members])
    def test_v2_bus_raises(self, call: object) -> None:
        with pytest.raises(InvalidInputError) as caught:
            call(V2_BUS_ARN)  # type: ignore[operator]
        assert caught.value.place == "event_bus_name"
        assert "V2" in caught.value.reason
        assert "event-bus/" in caught.value.remedy
        assert caught.value.permanent

    @pytest.mark.parametrize(
        ("event_bus_name", "name"),
        [
            ("orders", "orders"),
            (f"{BUS_ARN}/orders", "orders"),
            (f"{BUS_ARN}/{PARTNER_BUS}", PARTNER_BUS),
            (PARTNER_BUS, PARTNER_BUS),
        ],
    )
    def test_bus_name_of(self, event_bus_name: str, name: str) -> None:
        assert bus_name_of(event_bus_name) == name

    @pytest.mark.parametrize(
        ("event_bus_name", "is_default"),
        [
            (None, True),
            ("default", True),
            (f"{BUS_ARN}/default", True),
            ("orders", False),
            (f"{BUS_ARN}/orders", False),
            (f"{BUS_ARN}/aws.partner/x/default", False),
        ],
    )
    def test_is_default_bus(self, event_bus_name: str | None, is_default: bool) -> None:
        assert is_default_bus(event_bus_name) is is_default
