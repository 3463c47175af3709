from __future__ import annotations

import pytest

from airflow_cwevents.local_aws import LocalAws
from tests.system.conftest import RunDag


@pytest.mark.parametrize("name", ["example_setup_teardown", "example_rule_lifecycle", "example_send_many"])
def test_x(aws_default: LocalAws, run_dag: RunDag, name: str) -> None:
    run = run_dag(name)
    assert run.state == "success"
