from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_cwevents._aws.limits import MAX_DETAIL_TYPE_LENGTH, MAX_REQUEST_BYTES
from airflow_cwevents._send.entries import check_size, entry_size_bytes, normalise_entry
from airflow_cwevents.exceptions import EntryTooLargeError, InvalidEntryError

ENTRY = {"Source": "com.company.app", "DetailType": "appRequestSubmitted", "Detail": {"key1": "value1"}}


def entry(**members: object) -> dict[str, object]:
    return {**ENTRY, **members}


class TestNormaliseEntry:
    def test_detail_becomes_compact_json(self) -> None:
        wire = normalise_entry(entry(Detail={"b": [1, None, True], "a": "é"}), 0)
        assert wire["Detail"] == '{"b":[1,null,true],"a":"é"}'

    def test_detail_string_is_unchanged(self) -> None:
        assert normalise_entry(entry(Detail='{ "a" : 1 }'), 0)["Detail"] == '{ "a" : 1 }'

    def test_callers_entry_is_not_modified(self) -> None:
        given_entry = entry(Time="2026-01-31T12:00:00Z", Resources=("arn:aws:s3:::b",))
        before = dict(given_entry)
        normalise_entry(given_entry, 0, "bus")
        assert given_entry == before

    def test_event_bus_name_applies_to_entries_without_one(self) -> None:
        assert normalise_entry(ENTRY, 0, "orders")["EventBusName"] == "orders"
        assert normalise_entry(entry(EventBusName="own"), 0, "orders")["EventBusName"] == "own"
        assert "EventBusName" not in normalise_entry(ENTRY, 0)

    @pytest.mark.parametrize(
        ("given_time", "expected"),
        [
            ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
            ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
            ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
            (1769860800, datetime(2026, 1, 31, 12, tzinfo=UTC)),
            (datetime(2026, 1, 31, 12), datetime(2026, 1, 31, 12, tzinfo=UTC)),
            (
                datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=-5))),
                datetime(2026, 1, 31, 17, tzinfo=UTC),
            ),
        ],
    )
    def test_time_becomes_aware(self, given_time: object, expected: datetime) -> None:
        time = normalise_entry(entry(Time=given_time), 0)["Time"]
        assert time == expected
        assert time.tzinfo is not None

    def test_none_is_omitted(self) -> None:
        assert normalise_entry(entry(Resources=None, TraceHeader=None), 0).keys() == ENTRY.keys()

    def test_error_members_of_failed_entries_are_omitted(self) -> None:
        assert normalise_entry(entry(ErrorCode="InternalFailure", ErrorMessage="…"), 0).keys() == ENTRY.keys()

    @pytest.mark.parametrize(
        ("bad", "place"),
        [
            ({"Source": None}, "Source"),
            ({"Source": ""}, "Source"),
            ({"Source": 7}, "Source"),
            ({"Source": "aws.ec2"}, "Source"),
            ({"Source": "aws."}, "Source"),
            ({"DetailType": None}, "DetailType"),
            ({"DetailType": ""}, "DetailType"),
            ({"DetailType": "x" * 129}, "DetailType"),
            ({"Detail": None}, "Detail"),
            ({"Detail": "[]"}, "Detail"),
            ({"Detail": '"text"'}, "Detail"),
            ({"Detail": "text"}, "Detail"),
            ({"Detail": ""}, "Detail"),
            ({"Detail": "null"}, "Detail"),
            ({"Detail": '{"a": NaN}'}, "Detail"),
            ({"Detail": '{"a": 1'}, "Detail"),
            ({"Detail": [1]}, "Detail"),
            ({"Detail": {"a": math.inf}}, "Detail"),
            ({"Detail": {"a": datetime(2026, 1, 1)}}, "Detail"),
            ({"Detail": {"a": {1, 2}}}, "Detail"),
            ({"Time": "yesterday"}, "Time"),
            ({"Time": 1e300}, "Time"),
            ({"Resources": "arn:aws:s3:::b"}, "Resources"),
            ({"Resources": [1]}, "Resources"),
            ({"TraceHeader": ""}, "TraceHeader"),
            ({"TraceHeader": "x" * 501}, "TraceHeader"),
            ({"EventBusName": ""}, "EventBusName"),
            ({"EventBusName": "arn:aws:events:us-east-1:123456789012:event-busv2/b"}, "EventBusName"),
            ({"Detailtype": "x"}, "Detailtype"),
        ],
    )
    def test_invalid_member_raises(self, bad: dict[str, object], place: str) -> None:
        with pytest.raises(InvalidEntryError) as caught:
            normalise_entry(entry(**bad), 17)
        assert caught.value.place == f"entries[17].{place}"
        assert caught.value.index == 17
        assert caught.value.remedy
        assert caught.value.permanent

    @pytest.mark.parametrize(
        "good",
        [
            {"Source": "aws-foo"},
            {"DetailType": "x" * MAX_DETAIL_TYPE_LENGTH},
            {"DetailType": "é" * MAX_DETAIL_TYPE_LENGTH},
            {"Detail": {}},
            {"Detail": "{}"},
            {"Detail": ' {"a": 1}\n'},
            {"Resources": []},
            {"TraceHeader": "x" * 500},
            {"EventBusName": "arn:aws:events:us-east-1:123456789012:event-bus/b"},
        ],
    )
    def test_valid_member_is_accepted(self, good: dict[str, object]) -> None:
        wire = normalise_entry(entry(**good), 0)
        assert wire.keys() == ENTRY.keys() | good.keys()

    def test_nesting_too_deep_for_python_is_left_to_aws(self) -> None:
        text = '{"a":' * 100_000 + "1" + "}" * 100_000
        assert normalise_entry(entry(Detail=text), 0)["Detail"] == text

    def test_misspelt_member_suggests_the_right_one(self) -> None:
        with pytest.raises(InvalidEntryError) as caught:
            normalise_entry(entry(Detailtype="x"), 0)
        assert "'DetailType'" in caught.value.remedy

    def test_member_of_a_newer_api_is_accepted(self) -> None:
        members = frozenset({*ENTRY, "Priority"})
        assert normalise_entry(entry(Priority="high"), 0, members=members)["Priority"] == "high"

    def test_entry_of_another_type_raises(self) -> None:
        with pytest.raises(InvalidEntryError) as caught:
            normalise_entry("text", 3)  # type: ignore[arg-type]
        assert caught.value.place == "entries[3]"

    def test_error_message_does_not_contain_the_payload(self) -> None:
        with pytest.raises(InvalidEntryError) as caught:
            normalise_entry(entry(Detail='{"password": "hunter2",}'), 0)
        assert "hunter2" not in str(caught.value)
        assert "hunter2" in str(caught.value.value)


class TestEntrySizeBytes:
    def test_source_detail_type_and_detail_count(self) -> None:
        assert entry_size_bytes({"Source": "abc", "DetailType": "de", "Detail": "{}"}) == 7

    def test_time_counts_fourteen(self) -> None:
        assert entry_size_bytes(entry(Time="2026-01-31")) == entry_size_bytes(ENTRY) + 14

    def test_resources_and_trace_header_count(self) -> None:
        assert entry_size_bytes(entry(Resources=["12", "345"])) == entry_size_bytes(ENTRY) + 5
        assert entry_size_bytes(entry(TraceHeader="1234567")) == entry_size_bytes(ENTRY) + 7

    def test_bus_does_not_count(self) -> None:
        assert entry_size_bytes(entry(EventBusName="orders")) == entry_size_bytes(ENTRY)

    @pytest.mark.parametrize(("character", "width"), [("a", 1), ("é", 2), ("€", 3), ("𝄞", 4)])
    def test_characters_count_as_utf8(self, character: str, width: int) -> None:
        plain = {"Source": "s", "DetailType": "d", "Detail": "{}"}
        assert entry_size_bytes({**plain, "Source": character * 3}) == entry_size_bytes(plain) - 1 + 3 * width

    def test_dict_detail_counts_as_the_json_that_is_sent(self) -> None:
        assert entry_size_bytes(entry(Detail={"a": "€"})) == entry_size_bytes(
            normalise_entry(entry(Detail={"a": "€"}), 0)
        )

    @pytest.mark.parametrize("character", ["a", "é", "€", "𝄞"])
    @pytest.mark.parametrize("over", [-1, 0, 1])
    def test_size_is_limited(self, character: str, over: int) -> None:
        frame = entry_size_bytes(entry(Detail='{"a":""}'))
        width = len(character.encode())
        count, rest = divmod(MAX_REQUEST_BYTES + over - frame, width)
        big = entry(Detail=json.dumps({"a": character * count + "x" * rest}, ensure_ascii=False, separators=(",", ":")))
        if over <= 0:
            assert check_size(big, 5) == MAX_REQUEST_BYTES + over
        else:
            with pytest.raises(EntryTooLargeError) as caught:
                check_size(big, 5)
            assert (caught.value.index, caught.value.size, caught.value.limit) == (
                5,
                MAX_REQUEST_BYTES + 1,
                MAX_REQUEST_BYTES,
            )

    def test_lone_surrogate_raises(self) -> None:
        with pytest.raises(InvalidEntryError) as caught:
            check_size(normalise_entry(entry(Detail={"a": "\ud800"}), 4), 4)
        assert caught.value.index == 4
