from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from airflow_cwevents._airflow.compat import AirflowFailException
from airflow_cwevents.exceptions import (
    InvalidInputError,
    InvalidTargetError,
    PutTargetsError,
    RemoveTargetsError,
    RuleNotFoundError,
    TargetCheckError,
)
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.links.console import ConsolePlace
from airflow_cwevents.operators import (
    CheckTargetsOperator,
    PutRuleOperator,
    PutTargetsOperator,
    RemoveTargetsOperator,
)
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from tests.airflow_versions import DAG, XComArg
from tests.conftest import NO_WAITS
from tests.failures import fails_with

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
EVENT = {"source": "com.company.app"}
OPERATORS = [PutTargetsOperator, RemoveTargetsOperator, CheckTargetsOperator]


@pytest.fixture(autouse=True)
def _rule(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create a rule and a queue on moto, and wait for nothing."""
    monkeypatch.setattr(CloudWatchEventsHook, "retry_waits", NO_WAITS)
    boto3.client("sqs").create_queue(QueueName="q")
    boto3.client("events").put_rule(Name="r", EventPattern='{"source":["com.company.app"]}')


class FakeTaskInstance:
    """Keeps what is pushed to XCom."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def run(operator: type[CloudWatchEventsBaseOperator], **parameters: Any) -> Any:
    task = operator(**{"task_id": "t", "aws_conn_id": None, "rule": "r", **parameters})
    return task.execute({})


def targets(*ids: str, **members: Any) -> list[dict[str, Any]]:
    return [{"Id": target_id, "Arn": QUEUE, **members} for target_id in ids]


def put_ids(**members: str) -> list[str]:
    listed = boto3.client("events").list_targets_by_rule(**{"Rule": "r", **members})["Targets"]
    return [target["Id"] for target in listed]


def queue_has_policy() -> bool:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    return "Policy" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def fail(operation: str, task: CloudWatchEventsBaseOperator, code: str) -> None:
    """Let an operation fail for target ``a``, in a response that says HTTP 200."""

    failed = [{"TargetId": "a", "ErrorCode": code, "ErrorMessage": "no"}]
    task.hook.conn.meta.events.register(
        f"after-call.eventbridge.{operation}",
        lambda parsed, **_: parsed.update(FailedEntryCount=1, FailedEntries=failed),
    )


class TestPutTargets:
    def test_returns_the_ids_in_input_order(self) -> None:
        assert run(PutTargetsOperator, targets=targets("b", "a", Input={"n": 1})) == ["b", "a"]
        (first, second) = boto3.client("events").list_targets_by_rule(Rule="r")["Targets"]
        assert [first["Id"], second["Id"], first["Input"]] == ["b", "a", '{"n":1}']

    def test_none_is_a_success(self) -> None:
        assert run(PutTargetsOperator, targets=[]) == []

    @pytest.mark.parametrize(("prune", "left"), [(True, ["b"]), (False, ["a", "b"])])
    def test_prune(self, prune: bool, left: list[str]) -> None:
        run(PutTargetsOperator, targets=targets("a"))
        run(PutTargetsOperator, targets=targets("b"), prune=prune)
        assert put_ids() == left

    @pytest.mark.parametrize("grant", [True, False])
    def test_grant_permissions(self, grant: bool) -> None:
        run(PutTargetsOperator, targets=targets("a"), grant_permissions=grant)
        assert queue_has_policy() is grant

    @pytest.mark.parametrize("raised", [6, "6", 6.0])
    def test_max_targets(self, raised: Any) -> None:
        six = targets(*"abcdef")
        with fails_with(InvalidInputError) as caught:
            run(PutTargetsOperator, targets=six)
        assert caught.value.place == "targets"
        assert run(PutTargetsOperator, targets=six, max_targets=raised) == list("abcdef")

    def test_any_sequence_that_mapped_tasks_give(self) -> None:
        def lazily() -> Iterator[dict[str, Any]]:
            yield from targets("a", "b")

        assert run(PutTargetsOperator, targets=lazily()) == ["a", "b"]

    @pytest.mark.parametrize("given", ["[{'Id': 'a'}]", {"Id": "a", "Arn": QUEUE}, None])
    def test_what_is_no_list_is_an_error(self, given: Any) -> None:
        with fails_with(InvalidInputError) as caught:
            run(PutTargetsOperator, targets=given)
        assert caught.value.place == "targets"

    def test_bad_target_fails_without_airflows_retries(self) -> None:
        with fails_with(InvalidTargetError) as caught:
            run(PutTargetsOperator, targets=[*targets("a"), {"Id": "b", "Arn": "q"}])
        assert (caught.value.place, caught.value.target_id) == ("targets[1].Arn", "b")

    def test_missing_rule_fails_without_airflows_retries(self) -> None:
        with fails_with(RuleNotFoundError) as caught:
            run(PutTargetsOperator, rule="other", targets=targets("a"))
        assert caught.value.rule == "other"

    @pytest.mark.parametrize(
        ("code", "permanent"), [("AccessDeniedException", True), ("ConcurrentModificationException", False)]
    )
    def test_only_failures_that_may_pass_are_left_to_airflows_retries(self, code: str, permanent: bool) -> None:
        task = PutTargetsOperator(task_id="t", aws_conn_id=None, rule="r", targets=targets("a", "b"))
        fail("PutTargets", task, code)
        with fails_with(PutTargetsError) if permanent else pytest.raises(PutTargetsError) as caught:
            task.execute({})
        assert [(failed.target_id, failed.code) for failed in caught.value.failed] == [("a", code)]


class TestWhenTheDagFileIsParsed:
    def test_invalid_literal_targets_are_reported_together(self) -> None:
        invalid = [{"Id": "{{ x }}"}, {"Id": "a", "Arn": "no"}, *targets("b"), {"Id": "c"}]
        with fails_with(InvalidTargetError) as caught:
            PutTargetsOperator(task_id="t", rule="r", targets=invalid)
        assert [error.place for error in (caught.value, *caught.value.others)] == ["targets[1].Arn", "targets[3].Arn"]

    @pytest.mark.parametrize("arn", [QUEUE, "{{ params.queue }}"])
    def test_duplicate_literal_id_raises(self, arn: str) -> None:
        with fails_with(InvalidTargetError) as caught:
            PutTargetsOperator(task_id="t", rule="r", targets=[*targets("a", "b"), {"Id": "a", "Arn": arn}])
        assert caught.value.place == "targets[2].Id"

    def test_equal_templated_ids_are_left_to_the_task(self) -> None:
        assert PutTargetsOperator(task_id="t", rule="r", targets=targets("{{ next() }}", "{{ next() }}"))

    def test_member_of_a_newer_api_is_left_to_the_task(self) -> None:
        given = [{**targets("a")[0], "FutureParameters": {}}]
        assert PutTargetsOperator(task_id="t", rule="r", targets=given).targets == given

    @pytest.mark.parametrize("cls", [PutTargetsOperator, RemoveTargetsOperator, CheckTargetsOperator])
    def test_invalid_rule_raises(self, cls: Any) -> None:
        with fails_with(InvalidInputError) as caught:
            cls(task_id="t", rule="a b", **({"targets": []} if cls is PutTargetsOperator else {}))
        assert caught.value.place == "rule"


class TestRemoveTargets:
    @pytest.fixture(autouse=True)
    def _targets(self, _rule: None) -> None:
        run(PutTargetsOperator, targets=targets("a", "ab", "c"), grant_permissions=True)

    def test_by_id(self) -> None:
        assert run(RemoveTargetsOperator, target_ids=["ab", "c", "gone"]) == ["ab", "c"]
        assert put_ids() == ["a"]

    def test_all(self) -> None:
        assert run(RemoveTargetsOperator) == ["a", "ab", "c"]
        assert put_ids() == []

    def test_none_of_them(self) -> None:
        assert run(RemoveTargetsOperator, target_ids=[]) == []
        assert put_ids() == ["a", "ab", "c"]

    @pytest.mark.parametrize("text", ["ab", "['ab']"])
    def test_text_is_no_list(self, text: str) -> None:
        with fails_with(InvalidInputError) as caught:
            run(RemoveTargetsOperator, target_ids=text)
        assert caught.value.place == "target_ids"
        assert "a list of ids" in caught.value.remedy
        assert put_ids() == ["a", "ab", "c"]

    @pytest.mark.parametrize(
        ("parameters", "has_policy"),
        [
            ({"revoke_permissions": True}, False),
            ({"revoke_permissions": "true"}, False),
            ({"revoke_permissions": True, "target_ids": ["a"]}, True),
            ({}, True),
        ],
    )
    def test_revoke_permissions(self, parameters: dict[str, Any], has_policy: bool) -> None:
        run(RemoveTargetsOperator, **parameters)
        assert queue_has_policy() is has_policy

    def test_failures(self) -> None:
        task = RemoveTargetsOperator(task_id="t", aws_conn_id=None, rule="r")
        fail("RemoveTargets", task, "AccessDeniedException")
        with fails_with(RemoveTargetsError) as caught:
            task.execute({})
        assert [failed.target_id for failed in caught.value.failed] == ["a"]

    def test_force(self) -> None:
        task = RemoveTargetsOperator(task_id="t", aws_conn_id=None, rule="r", target_ids=["a"], force=True)
        sent: list[dict[str, Any]] = []
        task.hook.conn.meta.events.register(
            "provide-client-params.eventbridge.RemoveTargets", lambda params, **_: sent.append(params)
        )
        task.execute({})
        assert sent == [{"Rule": "r", "Ids": ["a"], "Force": True}]


class TestCheckTargets:
    def test_returns_the_report(self) -> None:
        run(PutTargetsOperator, targets=targets("a"), grant_permissions=True)
        report = run(CheckTargetsOperator, sample_event=EVENT)
        (received,) = [target.pop("delivers") for target in report["targets"]]
        assert json.loads(received) == EVENT
        assert json.loads(json.dumps(report)) == {
            "rule_arn": RULE_ARN,
            "ok": True,
            "findings": [],
            "targets": [{"target_id": "a", "arn": QUEUE, "findings": [], "verdict": "ok"}],
        }

    def test_fails_if_a_target_cannot_be_invoked(self) -> None:
        run(PutTargetsOperator, targets=targets("a"))
        with pytest.raises(TargetCheckError) as caught:
            run(CheckTargetsOperator)
        (problem,) = caught.value.problems
        assert caught.value.rule == "r"
        assert problem.startswith("a: ")
        assert not isinstance(caught.value, AirflowFailException)  # retries wait for policies to settle

    def test_report_is_pushed_also_then(self) -> None:
        run(PutTargetsOperator, targets=targets("a", "b"))
        instance = FakeTaskInstance()
        task = CheckTargetsOperator(task_id="t", aws_conn_id=None, rule="r")
        with pytest.raises(TargetCheckError):
            task.execute({"ti": instance})  # type: ignore[typeddict-item]
        report = instance.pushed["return_value"]
        assert report["ok"] is False
        assert [(target["target_id"], target["verdict"]) for target in report["targets"]] == [
            ("a", "problem"),
            ("b", "problem"),
        ]
        assert {finding["severity"] for target in report["targets"] for finding in target["findings"]} == {"problem"}

    @pytest.mark.parametrize("grant", [True, False])
    def test_report_is_logged_line_by_line(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, grant: bool
    ) -> None:
        run(PutTargetsOperator, targets=targets("a"), grant_permissions=grant)
        monkeypatch.setattr(CheckTargetsOperator, "log", logging.getLogger("tests.operator"))
        caplog.set_level("INFO", "tests.operator")
        if grant:
            run(CheckTargetsOperator)
        else:
            with pytest.raises(TargetCheckError):
                run(CheckTargetsOperator)
        rows = [record.getMessage().split() for record in caplog.records if record.name == "tests.operator"]
        assert ["rule", "ok", RULE_ARN] in rows
        assert ["a", "ok" if grant else "problem", QUEUE] in rows
        assert ["fix:" in row for row in rows].count(True) == (not grant)

    @pytest.mark.parametrize("sample", [{"source": "other"}, '{"source": "other"}'])
    def test_sample_event_that_does_not_match(self, sample: dict[str, Any] | str) -> None:
        run(PutTargetsOperator, targets=targets("a"), grant_permissions=True)
        with pytest.raises(TargetCheckError) as caught:
            run(CheckTargetsOperator, sample_event=sample)
        assert len(caught.value.problems) == 1

    def test_what_may_not_be_looked_at_does_not_fail(self) -> None:
        run(PutTargetsOperator, targets=targets("a"))
        task = CheckTargetsOperator(task_id="t", aws_conn_id=None, rule="r")

        def deny(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetQueueUrl")

        task.hook.client("sqs").meta.events.register("before-call.sqs.*", deny)
        report = task.execute({})
        assert report["ok"] is True
        assert [target["verdict"] for target in report["targets"]] == ["unknown"]

    def test_missing_rule(self) -> None:
        with fails_with(RuleNotFoundError):
            run(CheckTargetsOperator, rule="other")


@pytest.mark.parametrize("operator", OPERATORS)
class TestParameters:
    def test_all_are_templated(self, operator: type[CloudWatchEventsBaseOperator]) -> None:
        given = set(inspect.signature(operator.__init__).parameters) - {"self", "kwargs"}
        assert set(operator.template_fields) == given | set(CloudWatchEventsBaseOperator.template_fields)

    def test_misspelt_one_is_an_error(self, operator: type[CloudWatchEventsBaseOperator]) -> None:
        given: dict[str, Any] = {"targets": []} if operator is PutTargetsOperator else {}
        with pytest.raises(Exception, match="event_bus"):  # a TypeError, but for Airflow 2
            operator(task_id="t", rule="r", event_bus="orders", **given)

    def test_links_know_the_place(self, operator: type[CloudWatchEventsBaseOperator]) -> None:
        events = boto3.client("events")
        events.create_event_bus(Name="orders")
        events.put_rule(Name="o", EventPattern='{"source":["a"]}', EventBusName="orders")
        given: dict[str, Any] = {"targets": []} if operator is PutTargetsOperator else {}
        task = operator(task_id="t", aws_conn_id=None, rule="o", event_bus_name="orders", **given)
        if operator is CheckTargetsOperator:
            with pytest.raises(TargetCheckError):
                task.execute({})
        else:
            task.execute({})
        assert task.console_place == ConsolePlace("aws", "us-east-1", "orders", "o")


class TestTemplates:
    @staticmethod
    def render(task: CloudWatchEventsBaseOperator, **params: Any) -> None:
        task.render_template_fields({"params": params})

    def test_put_targets(self) -> None:
        with DAG("d", schedule=None):
            task = PutTargetsOperator(
                task_id="t",
                aws_conn_id=None,
                rule="{{ params.rule }}",
                targets=[{"Id": "{{ params.id }}", "Arn": "{{ params.arn }}", "Input": {"n": "{{ params.n }}"}}],
                grant_permissions="{{ params.grant }}",  # type: ignore[arg-type]
                prune="{{ params.prune }}",  # type: ignore[arg-type]
                max_targets="{{ params.max }}",  # type: ignore[arg-type]
            )
        self.render(task, rule="r", id="x", arn=QUEUE, n="é", grant=True, prune=False, max=5)
        assert task.execute({}) == ["x"]
        (target,) = boto3.client("events").list_targets_by_rule(Rule="r")["Targets"]
        assert target == {"Id": "x", "Arn": QUEUE, "Input": '{"n":"é"}'}
        assert queue_has_policy()

    def test_remove_targets(self) -> None:
        run(PutTargetsOperator, targets=targets("a", "b"))
        with DAG("d", schedule=None):
            task = RemoveTargetsOperator(
                task_id="t", aws_conn_id=None, rule="{{ params.rule }}", target_ids=["{{ params.id }}"]
            )
        self.render(task, rule="r", id="b")
        assert task.execute({}) == ["b"]

    def test_check_targets(self) -> None:
        run(PutTargetsOperator, targets=targets("a"), grant_permissions=True)
        with DAG("d", schedule=None):
            task = CheckTargetsOperator(
                task_id="t", aws_conn_id=None, rule="{{ params.rule }}", sample_event={"source": "{{ params.source }}"}
            )
        self.render(task, rule="r", source="com.company.app")
        assert task.execute({})["ok"] is True

    def test_results_of_other_tasks(self) -> None:
        with DAG("d", schedule=None):
            rule = PutRuleOperator(task_id="rule", name="r", schedule_expression="rate(1 day)")
            put = PutTargetsOperator(
                task_id="put", rule="r", targets=[{"Id": "a", "Arn": "{{ params.arn }}", "Input": rule.output}]
            )
            remove = RemoveTargetsOperator(task_id="remove", rule="r", target_ids=put.output)  # type: ignore[arg-type]
        assert isinstance(remove.target_ids, XComArg)
        assert (put.upstream_task_ids, remove.upstream_task_ids) == ({"rule"}, {"put"})

    def test_mapped_tasks(self) -> None:
        with DAG("d", schedule=None):
            mapped = PutTargetsOperator.partial(task_id="t", targets=targets("a")).expand(rule=["r", "s"])
        assert mapped.operator_class is PutTargetsOperator
