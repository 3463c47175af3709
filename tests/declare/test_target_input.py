"""Input paths and input transformers: what is refused, by AWS's user guide, its model, and what it was seen to do."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_cwevents._declare.event_paths import check_path, parse_path
from airflow_cwevents._declare.target_input import input_warnings, normalise_input_transformer
from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.targets import Placeholder

PATHS = {"instance": "$.detail.instance-id", "state": "$.detail['state']", "detail": "$.detail"}


def normalised(template: object, paths: object = PATHS) -> Any:
    return normalise_input_transformer({"InputPathsMap": paths, "InputTemplate": template}, "T")["InputTemplate"]


def refusal(template: object, paths: object = PATHS) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        normalised(template, paths)
    return caught.value


class TestPath:
    @pytest.mark.parametrize(
        ("path", "steps"),
        [
            ("$", []),
            ("$.detail.state", ["detail", "state"]),
            ("$.detail-type", ["detail-type"]),
            ("$['detail']", ["detail"]),
            ('$["detail"]["a b"]', ["detail", "a b"]),
            ("$.detail['event-name'].x", ["detail", "event-name", "x"]),
            ("$.resources[0]", ["resources", 0]),
            ("$.detail.*", None),
            ("$..state", None),
            ("$.detail[?(@.a)]", None),
        ],
    )
    def test_both_notations(self, path: str, steps: list[str | int] | None) -> None:
        check_path(path, "InputPath")
        assert parse_path(path) == steps

    @pytest.mark.parametrize("path", ["detail", "", "@.detail", 7, None, ["$"]])
    def test_without_dollar_raises(self, path: object) -> None:
        with pytest.raises(InvalidInputError) as caught:
            check_path(path, "InputPath")
        assert (caught.value.place, caught.value.value) == ("InputPath", path)

    @pytest.mark.parametrize("path", ["$.a['b", "$.a[", "$.a[b", '$.a["b].c', "$['a]b"])
    def test_unclosed_bracket_is_a_warning(self, path: str) -> None:
        for target in (
            {"InputPath": path},
            {"InputTransformer": {"InputPathsMap": {"a": "$.id", "b": path}, "InputTemplate": "<b>"}},
        ):
            (warning,) = input_warnings(target)
            assert path in warning

    @pytest.mark.parametrize("path", ["$", "$['a[b']", "$.a[?(@.b == '[')]", "$..['a']", "$.a[*]", "$['']", "$.a[0:2]"])
    def test_other_path_is_no_warning(self, path: str) -> None:
        assert input_warnings({"InputPath": path}) == []

    @pytest.mark.parametrize(("length", "raises"), [(256, False), (257, True)])
    def test_length(self, length: int, raises: bool) -> None:
        path = "$." + "a" * (length - 2)
        if raises:
            with pytest.raises(InvalidInputError, match="257 characters"):
                check_path(path, "InputPath")
        else:
            check_path(path, "InputPath")


class TestPathsMap:
    @pytest.mark.parametrize("name", ["a", "A-1_b", "x" * 256])
    def test_names(self, name: str) -> None:
        assert normalised(f"<{name}>", {name: "$.id"}) == f"<{name}>"

    @pytest.mark.parametrize("name", ["", "x" * 257, "a b", "a.b", "aws.events.rule-name", "AWS.x", "ä", 7])
    def test_other_names_raise(self, name: Any) -> None:
        assert refusal("{}", {name: "$.id"}).place == f"T.InputPathsMap.{name}"

    @pytest.mark.parametrize("paths", [[], "x", 7])
    def test_other_types_raise(self, paths: object) -> None:
        if paths:
            assert refusal("{}", paths).place == "T.InputPathsMap"

    def test_path_without_dollar_raises(self) -> None:
        assert refusal("{}", {"a": "$.id", "b": "detail"}).place == "T.InputPathsMap.b"

    @pytest.mark.parametrize(("count", "raises"), [(100, False), (101, True)])
    def test_number(self, count: int, raises: bool) -> None:
        paths = {f"p{number}": "$.id" for number in range(count)}
        if raises:
            assert refusal("{}", paths).place == "T.InputPathsMap"
        else:
            assert normalised("{}", paths) == "{}"


class TestTemplate:
    @pytest.mark.parametrize(
        "template",
        [
            '{"instance": <instance>, "detail": <detail>, "text": "<instance> is <state>"}',
            '{"a": [<instance>, {"b": <aws.events.event.json>}], "time": <aws.events.event.ingestion-time>}',
            '{"rule": "<aws.events.rule-arn> <aws.events.rule-name>"}',
            "<detail>",
            "[<instance>, 1]",
            '"<instance> is <state>"',
            '"first <instance>"\n\n  "second <state>"',
            r'"not a placeholder: \<unknown>"',
            r'"a quote \" and <state>"',
            '{"unknown variable": <aws.events.later>}',
            '{"envelope": <aws.events.event>}',
            r'{"a backslash": "C:\\<instance> \\< 1"}',
        ],
    )
    def test_accepted(self, template: str) -> None:
        assert normalised(template) == template
        assert input_warnings({"InputTransformer": {"InputTemplate": template}}) == []

    @pytest.mark.parametrize("template", ["<instance> is <state>", "plain", '"one"\ntwo', "[ALERT] <state>"])
    def test_text_without_quotes_is_a_warning(self, template: str) -> None:
        assert normalised(template) == template
        assert len(input_warnings({"InputTransformer": {"InputTemplate": template}})) == 1

    @pytest.mark.parametrize(
        "template", ['{"a": <instance>', '{"a": <instance> <state>}', "{a: 1}", '{"a": "x" <state>}']
    )
    def test_broken_json_raises(self, template: str) -> None:
        assert "not JSON" in refusal(template).reason

    @pytest.mark.parametrize("template", ['{"<state>": 1}', '{"a": {"x-<state>": 1}}', {"<state>": 1}])
    def test_placeholder_in_a_key_raises(self, template: object) -> None:
        assert "key" in refusal(template).reason

    @pytest.mark.parametrize("template", ["<instanc>", '{"a": "<instanc>"}', {"a": [Placeholder("instanc")]}])
    def test_unknown_placeholder_raises(self, template: object) -> None:
        error = refusal(template)
        assert "<instanc> is not in InputPathsMap" in error.reason
        assert error.place == "T.InputTemplate"

    @pytest.mark.parametrize("path", ["$", "$.detail", "$['detail']", "$.resources", '$["resources"]'])
    def test_object_or_list_in_quotes_raises(self, path: str) -> None:
        assert "delivers nothing" in refusal('{"a": "all: <x>"}', {"x": path}).reason
        assert normalised('{"a": <x>}', {"x": path}) == '{"a": <x>}'

    @pytest.mark.parametrize("template", ['{"a": "<aws.events.event>"}', '"got <aws.events.event>"'])
    def test_event_without_detail_in_quotes_raises(self, template: str) -> None:
        assert "delivers nothing" in refusal(template).reason

    def test_quotes_in_text_without_quotes_around_it_are_left_to_aws(self) -> None:
        assert normalised('it is "<detail>"') == 'it is "<detail>"'

    def test_what_may_be_a_string_in_quotes_is_accepted(self) -> None:
        assert normalised('"<x>"', {"x": "$.detail.anything"}) == '"<x>"'

    @pytest.mark.parametrize(
        "template",
        [
            '{"a": "<aws.events.event.json>"}',
            '"<aws.events.event.json>"',
            "<aws.events.event.json>",
            "[<aws.events.event.json>]",
        ],
    )
    def test_whole_event_outside_of_an_object_raises(self, template: str) -> None:
        assert "JSON object" in refusal(template).reason

    def test_dict_with_placeholders(self) -> None:
        template = {"detail": Placeholder("detail"), "all": [Placeholder("aws.events.event.json")], "text": "<state>"}
        assert normalised(template) == '{"detail":<detail>,"all":[<aws.events.event.json>],"text":"<state>"}'

    @pytest.mark.parametrize("template", [None, ""])
    def test_missing_raises(self, template: object) -> None:
        assert refusal(template).reason == "it is missing"

    def test_placeholder_with_another_name_raises(self) -> None:
        error = refusal({"a": Placeholder("in stance")})
        assert (error.place, error.reason) == ("T.InputTemplate", "'in stance' is not the name of a placeholder")

    def test_what_json_cannot_express_raises(self) -> None:
        assert refusal({"a": {1, 2}}).place == "T.InputTemplate"

    @pytest.mark.parametrize(("length", "raises"), [(8192, False), (8193, True)])
    def test_length(self, length: int, raises: bool) -> None:
        template = f'"{"x" * (length - 2)}"'
        if raises:
            assert "8193 characters" in refusal(template).reason
        else:
            assert normalised(template) == template

    @pytest.mark.parametrize("transformer", ["text", 7, ["x"]])
    def test_transformer_of_another_type_raises(self, transformer: object) -> None:
        with pytest.raises(InvalidInputError) as caught:
            normalise_input_transformer(transformer, "T")
        assert caught.value.place == "T"
