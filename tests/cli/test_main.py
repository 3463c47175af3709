from __future__ import annotations

import io
import json
import subprocess
import sys
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
    def test_a_single_target_needs_no_list(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: object
    ) -> None:
        path = write(tmp_path, content)
        assert printed(capsys, "policy", "role", str(path)) == target_role_policy([STREAM])

    def test_no_targets(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert printed(capsys, "policy", "role", str(write(tmp_path, [])))["Statement"] == []


class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ([STREAM, {"Id": "a"}], "targets[1].Arn"),
            ([STREAM, {"Id": "a", "Arn": "stream/s"}], "targets[1].Arn"),
            (["arn:aws:sqs:us-east-1:123456789012:q"], "targets[0].Arn"),
            ("7", "targets[0].Arn"),
            ("[{]", "line 1 column 3"),
            ("", "line 1 column 1"),
        ],
    )
    def test_targets(self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: object, complaint: str) -> None:
        assert complaint in refused(capsys, "policy", "role", str(write(tmp_path, content)))

    def test_file_that_is_not_there(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert "targets.json" in refused(capsys, "policy", "role", str(tmp_path / "targets.json"))

    def test_file_that_is_no_utf8(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "targets.json"
        path.write_bytes(json.dumps([STREAM]).encode("utf-16"))
        assert "utf-8" in refused(capsys, "policy", "role", str(path))

    @pytest.mark.parametrize("kind", ["role", "resource"])
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
    def test_member(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, members: dict[str, Any], complaint: str
    ) -> None:
        path = write(tmp_path, [STREAM, {**QUEUE, **members}])
        rule = ["--rule-arn", RULE_ARN] if kind == "resource" else []
        assert f"targets[1].{complaint}" in refused(capsys, "policy", kind, str(path), *rule)

    @pytest.mark.parametrize(
        ("targets", "complaint"),
        [
            ([{"Arn": QUEUE["Arn"]}], "targets[0].Id: it is missing"),
            ([{**QUEUE, "Id": ["queue"]}], "targets[0].Id: it is of type list"),
            ([{**QUEUE, "Id": 7}], "targets[0].Id: it is of type int"),
            ([QUEUE, STREAM, {**STREAM, "Id": "queue"}], "targets[2].Id: it is the id of another target"),
        ],
    )
    def test_statements_without_an_id_of_their_own(
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
    def test_rule_arn(self, capsys: pytest.CaptureFixture[str], targets_file: Path, rule_arn: str) -> None:
        error = refused(capsys, "policy", "resource", str(targets_file), "--rule-arn", rule_arn)
        assert "--rule-arn" in error
        assert "rule/NAME" in error

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ([], "command"),
            (["polcy"], "invalid choice"),
            (["policy"], "kind"),
            (["policy", "trusts"], "invalid choice"),
            (["policy", "role"], "targets"),
            (["policy", "resource", "-"], "--rule-arn"),
            (["policy", "operators", "PutRuleOperator", "PutRule"], "'PutRule', but PutRuleOperator"),
        ],
    )
    def test_command_line(self, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str) -> None:
        assert complaint in refused(capsys, *arguments)


@pytest.mark.parametrize("arguments", [["--help"], ["policy", "--help"], ["policy", "operators", "--help"]])
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("usage: airflow-cwevents")


def test_as_a_module_it_imports_neither_airflow_nor_boto3() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv[1:] = ['policy', 'trust']\n"
        "try:\n    runpy.run_module('airflow_cwevents', run_name='__main__')\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "sys.exit(', '.join({'airflow', 'boto3', 'botocore'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == trust_policy()


def test_installed_command() -> None:
    command = Path(sys.executable).with_name("airflow-cwevents")
    done = subprocess.run([command, "policy", "trust"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == trust_policy()
