from __future__ import annotations

from typing import Any

import pytest

from airflow_cwevents._declare.event_queue_spec import (
    OWNER_TAG,
    EventQueueSpec,
    changed_attributes,
    event_queue_spec,
    owner_of,
    possible_queue_names,
)
from airflow_cwevents.exceptions import InvalidEventPatternError, InvalidInputError

ARGUMENTS: dict[str, Any] = {
    "name": "orders",
    "event_pattern": {"source": ["com.company.orders"]},
    "event_bus_name": None,
    "max_receive_count": 10,
    "message_retention_seconds": 345_600,
    "visibility_timeout": 30,
    "kms_key": None,
    "tags": None,
    "message_group_id": None,
}
DEAD_LETTERS = "arn:aws:sqs:us-east-1:123456789012:orders-dlq"


def spec(**arguments: Any) -> EventQueueSpec:
    return event_queue_spec(**{**ARGUMENTS, **arguments})


class TestValidation:
    @pytest.mark.parametrize(
        ("parameter", "valid"),
        [
            ("name", ["a", "a" * 64, "A-b_1"]),
            ("event_pattern", ['{"source": ["a"]}']),
            ("event_bus_name", ["orders", "arn:aws:events:us-east-1:123456789012:event-bus/orders"]),
            ("max_receive_count", [1, 1000]),
            ("message_retention_seconds", [60, 1_209_600]),
            ("visibility_timeout", [0, 43_200]),
            ("kms_key", ["alias/mine", "arn:aws:kms:us-east-1:123456789012:key/k", ""]),
            ("tags", [{}, {"team": "data"}, [{"Key": "team", "Value": "data"}]]),
            ("message_group_id", ["g", "!~" * 64, ""]),
        ],
    )
    def test_boundaries(self, parameter: str, valid: list[Any]) -> None:
        for value in valid:
            spec(**{parameter: value})

    @pytest.mark.parametrize(
        ("parameter", "invalid"),
        [
            ("name", ["", "a" * 65, "a.b", "a b", "orders.fifo", "arn:aws:sqs:us-east-1:123456789012:orders", 5, None]),
            ("event_pattern", [None, "", {}]),
            ("event_bus_name", ["", "arn:aws:events:us-east-1:123456789012:event-busv2/b"]),
            ("max_receive_count", [0, 1001, "5", None]),
            ("message_retention_seconds", [59, 1_209_601]),
            ("visibility_timeout", [-1, 43_201]),
            ("kms_key", ["alias/aws/sqs", "arn:aws:kms:us-east-1:123456789012:alias/aws/sqs", 5]),
            ("message_group_id", ["a" * 129, "a b", "ä", 5]),
        ],
    )
    def test_beyond_them(self, parameter: str, invalid: list[Any]) -> None:
        for value in invalid:
            with pytest.raises(InvalidInputError) as caught:
                spec(**{parameter: value})
            assert caught.value.place == parameter

    def test_pattern_is_validated(self) -> None:
        with pytest.raises(InvalidEventPatternError) as caught:
            spec(event_pattern={"source": [{"prefx": "a"}]})
        assert caught.value.path.startswith("source[0]")

    @pytest.mark.parametrize("key", [OWNER_TAG, "aws:x"])
    def test_reserved_tag(self, key: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            spec(tags={key: "x"})
        assert caught.value.place == f"tags.{key}"

    def test_suffix_of_fifo_queues_is_explained(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            spec(name="orders.fifo")
        assert "message_group_id" in caught.value.remedy


class TestNames:
    def test_standard(self) -> None:
        assert (spec().queue_name, spec().dead_letter_queue_name) == ("orders", "orders-dlq")

    def test_fifo(self) -> None:
        fifo = spec(message_group_id="g")
        assert (fifo.queue_name, fifo.dead_letter_queue_name) == ("orders.fifo", "orders-dlq.fifo")

    def test_longest_fit_into_sqs(self) -> None:
        assert max(map(len, possible_queue_names("a" * 64))) <= 80

    def test_deletion_looks_for_all(self) -> None:
        specs = [spec(), spec(message_group_id="g")]
        created = [name for each in specs for name in (each.queue_name, each.dead_letter_queue_name)]
        assert possible_queue_names("orders") == created

    @pytest.mark.parametrize(
        ("bus", "owner"),
        [
            (None, "default/orders"),
            ("default", "default/orders"),
            ("sales", "sales/orders"),
            ("arn:aws:events:us-east-1:123456789012:event-bus/sales", "sales/orders"),
        ],
    )
    def test_owner_is_the_bus_and_the_name(self, bus: str | None, owner: str) -> None:
        assert spec(event_bus_name=bus).owner == owner

    def test_owner_fits_into_a_tag(self) -> None:
        owner = owner_of("orders", "aws.partner/" + "b" * 244)
        assert len(owner) == 256
        assert owner.endswith("b/orders")


class TestAttributes:
    def test_fifo_queue_deduplicates_by_content(self) -> None:
        fifo = spec(message_group_id="g")
        assert fifo.queue_attributes(DEAD_LETTERS)["ContentBasedDeduplication"] == "true"
        assert "ContentBasedDeduplication" not in spec().queue_attributes(DEAD_LETTERS)

    def test_dead_letters_are_kept_as_long_as_possible(self) -> None:
        attributes = spec(message_retention_seconds=60).dead_letter_queue_attributes()
        assert attributes["MessageRetentionPeriod"] == "1209600"

    def test_equal_policies_in_another_spelling_are_no_change(self) -> None:
        wanted = spec().queue_attributes(DEAD_LETTERS)
        spelling = f'{{"maxReceiveCount":10,"deadLetterTargetArn":"{DEAD_LETTERS}"}}'
        assert changed_attributes({**wanted, "RedrivePolicy": spelling}, wanted) == {}

    @pytest.mark.parametrize(
        ("arguments", "changed"),
        [
            ({"max_receive_count": 3}, {"RedrivePolicy"}),
            ({"message_retention_seconds": 60}, {"MessageRetentionPeriod"}),
            ({"visibility_timeout": 0}, {"VisibilityTimeout"}),
            ({"kms_key": "alias/mine"}, {"KmsMasterKeyId"}),
        ],
    )
    def test_each_parameter_is_a_change(self, arguments: dict[str, Any], changed: set[str]) -> None:
        present = spec().queue_attributes(DEAD_LETTERS)
        assert set(changed_attributes(present, spec(**arguments).queue_attributes(DEAD_LETTERS))) == changed

    def test_key_that_is_no_longer_wanted_is_removed(self) -> None:
        present = {"KmsMasterKeyId": "alias/mine", "SqsManagedSseEnabled": "false", "MessageRetentionPeriod": "1209600"}
        expected = {"KmsMasterKeyId": "", "SqsManagedSseEnabled": "true"}
        assert changed_attributes(present, spec().dead_letter_queue_attributes()) == expected
