from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_cwevents._cli.main import main
from airflow_cwevents.iam.documents import trust_policy, tutorial_role_policy
from airflow_cwevents.iam.grants import dead_letter_statements, resource_statements
from airflow_cwevents.iam.operator_actions import OPERATOR_NEEDS, operator_policy
from airflow_cwevents.iam.roles import target_role_policy

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
QUEUE = {
    "Id": "queue",
    "Arn": "arn:aws:sqs:us-east-1:123456789012:q",
    "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:dead"},
}
STREAM = {"Id": "stream", "Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Run the command, and read the document that it prints."""
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("}\n")
    return json.loads(out)


def exit_status(arguments: Sequence[str]) -> object:
    try:
        return main(arguments)
    except SystemExit as stop:  # argparse's own way to refuse
        return stop.code


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command, and read what it complains of."""
    assert exit_status(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


@pytest.fixture
def targets_file(tmp_path: Path) -> Path:
    return write(tmp_path, [QUEUE, STREAM])


def write(folder: Path, content: object) -> Path:
    path = folder / "targets.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


class TestPolicy:
    def test_trust(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert printed(capsys, "policy", "trust") == trust_policy()

    def test_tutorial(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert printed(capsys, "policy", "tutorial") == tutorial_role_policy()

    def test_role(self, capsys: pytest.CaptureFixture[str], targets_file: Path) -> None:
        document = printed(capsys, "policy", "role", str(targets_file))
        assert document == target_role_policy([STREAM])
        assert document["Statement"][0]["Resource"] == [STREAM["Arn"]]

    def test_resource(self, capsys: pytest.CaptureFixture[str], targets_file: Path) -> None:
        assert printed(capsys, "policy", "resource", str(targets_file), "--rule-arn", RULE_ARN) == {
            "queue": [*resource_statements(QUEUE, RULE_ARN), *dead_letter_statements(QUEUE, RULE_ARN)],
            "stream": [],
        }

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (["PutRuleOperator"], ["PutRuleOperator"]),
            (["@task.put_events", "EnableRuleOperator"], ["@task.put_events", "EnableRuleOperator"]),
            ([], list(OPERATOR_NEEDS)),
        ],
    )
    def test_operators(self, capsys: pytest.CaptureFixture[str], names: list[str], expected: list[str]) -> None:
        assert printed(capsys, "policy", "operators", *names) == operator_policy(expected)

    def test_targets_from_standard_input(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps([STREAM])))
        assert printed(capsys, "policy", "role", "-") == target_role_policy([STREAM])

    @pytest.mark.parametrize("content", [STREAM, [STREAM]])
    def test_single_target_needs_no_list(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: object
    ) -> None:
        path = write(tmp_path, content)
        assert printed(capsys, "policy", "role", str(path)) == target_role_policy([STREAM])

    def test_no_targets_need_no_statement(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert printed(capsys, "policy", "role", str(write(tmp_path, [])))["Statement"] == []


class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ([STREAM, {"Id": "a"}], "targets[1].Arn"),
            ([STREAM, {"Id": "a", "Arn": "stream/s"}], "targets[1].Arn"),
            (["arn:aws:sqs:us-east-1:123456789012:q"], "targets[0].Arn"),
            ("7", "targets[0].Arn"),
        ],
    )
    def test_invalid_target_is_named(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: object, complaint: str
    ) -> None:
        assert complaint in refused(capsys, "policy", "role", str(write(tmp_path, content)))

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b'[\n  {"Id":\n    x}\n]', "line 3 column 5: Expecting value"),
            (b"", "line 1 column 1: Expecting value"),
            (json.dumps([STREAM]).encode("utf-16"), "not UTF-8 at byte 0"),
        ],
    )
    def test_file_that_is_not_json_is_named(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, complaint: str
    ) -> None:
        path = tmp_path / "targets.json"
        path.write_bytes(content)
        assert refused(capsys, "policy", "role", str(path)).startswith(f"airflow-cwevents: {path}: {complaint}")

    def test_missing_file_is_named(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "targets.json"
        error = refused(capsys, "policy", "role", str(path))
        assert error == f"airflow-cwevents: {path}: No such file or directory\n"

    def test_standard_input_that_is_not_json_is_named(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("{"))
        assert "standard input: line 1 column 2" in refused(capsys, "policy", "role", "-")

    @pytest.mark.parametrize(
        ("members", "complaint"),
        [
            ({"DeadLetterConfig": "arn:aws:sqs:us-east-1:123456789012:dead"}, "DeadLetterConfig: it is of type str"),
            ({"DeadLetterConfig": {"Arn": ["a"]}}, "DeadLetterConfig.Arn: it is not an ARN"),
            ({"EcsParameters": ["a"]}, "EcsParameters: it is of type list"),
            ({"BatchParameters": 1}, "BatchParameters: it is of type int"),
            ({"RedshiftDataParameters": "a"}, "RedshiftDataParameters: it is of type str"),
        ],
    )
    def test_invalid_member_is_named(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, members: dict[str, Any], complaint: str
    ) -> None:
        path = write(tmp_path, [STREAM, {**QUEUE, **members}])
        assert f"targets[1].{complaint}" in refused(capsys, "policy", "role", str(path))

    @pytest.mark.parametrize(
        ("targets", "complaint"),
        [
            ([{"Arn": QUEUE["Arn"]}], "targets[0].Id: it is missing"),
            ([{**QUEUE, "Id": ["queue"]}], "targets[0].Id: it is of type list"),
            ([{**QUEUE, "Id": 7}], "targets[0].Id: it is of type int"),
            ([QUEUE, STREAM, {**STREAM, "Id": "queue"}], "targets[2].Id: another target has the same"),
        ],
    )
    def test_resource_statements_need_unique_ids(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, targets: object, complaint: str
    ) -> None:
        path = write(tmp_path, targets)
        assert complaint in refused(capsys, "policy", "resource", str(path), "--rule-arn", RULE_ARN)

    @pytest.mark.parametrize(
        "rule_arn",
        [
            "r",
            "",
            "arn:aws:sqs:us-east-1:123456789012:q",
            RULE_ARN.replace("rule/", "event-bus/"),
            RULE_ARN.replace("events", "config"),
        ],
    )
    def test_rule_arn_of_something_else_is_refused(
        self, capsys: pytest.CaptureFixture[str], targets_file: Path, rule_arn: str
    ) -> None:
        error = refused(capsys, "policy", "resource", str(targets_file), "--rule-arn", rule_arn)
        assert "--rule-arn" in error
        assert "rule/NAME" in error

    @pytest.mark.parametrize(
        ("name", "complaint"),
        [
            ("PutRule", "Did you mean PutRuleOperator?"),
            ("put_events", "Did you mean @task.put_events?"),
            ("xyz", "Use one of PutRuleOperator, "),
        ],
    )
    def test_unknown_operator_gets_a_suggestion(
        self, capsys: pytest.CaptureFixture[str], name: str, complaint: str
    ) -> None:
        assert complaint in refused(capsys, "policy", "operators", "EnableRuleOperator", name)
