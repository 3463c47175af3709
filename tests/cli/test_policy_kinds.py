"""`airflow-cwevents policy`: the kinds of target, and the rule that a role is for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_cwevents._cli.main import main
from airflow_cwevents.iam.documents import trust_policy

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
ACCOUNT = "us-east-1:123456789012"


def test_trust_for_one_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "trust", "--rule-arn", RULE_ARN]) == 0
    assert json.loads(capsys.readouterr().out) == trust_policy(RULE_ARN)


@pytest.mark.parametrize("arn", [f"arn:aws:newservice:{ACCOUNT}:x", f"arn:aws:events:{ACCOUNT}:target/of-the-future"])
@pytest.mark.parametrize("command", [["role"], ["resource", "--rule-arn", RULE_ARN]])
def test_unknown_kind_prints_no_policy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str], arn: str
) -> None:
    path = tmp_path / "targets.json"
    path.write_text(json.dumps([{"Id": "t", "Arn": arn, "RoleArn": "arn:aws:iam::123456789012:role/r"}]))
    assert main(["policy", *command, str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert arn in printed.err
