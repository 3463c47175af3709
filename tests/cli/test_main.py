from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_cwevents import __version__
from airflow_cwevents._cli.main import main
from airflow_cwevents.iam.documents import trust_policy


@pytest.mark.parametrize("arguments", [["--help"], ["policy", "--help"], ["policy", "operators", "--help"]])
def test_help_option_prints_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("usage: airflow-cwevents")


@pytest.mark.parametrize(("arguments", "commands"), [([], ["demo", "policy"]), (["policy"], ["trust", "tutorial"])])
def test_without_a_command_it_prints_help(
    capsys: pytest.CaptureFixture[str], arguments: list[str], commands: list[str]
) -> None:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("usage: airflow-cwevents")
    for command in commands:
        assert f"\n    {command} " in out


def test_version_option_prints_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"airflow-cwevents {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["polcy"], "invalid choice"),
        (["policy", "trusts"], "invalid choice"),
        (["policy", "role"], "targets"),
        (["policy", "resource", "-"], "--rule-arn"),
    ],
)
def test_invalid_command_line_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err


def test_module_imports_neither_airflow_nor_boto3() -> None:
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


def test_installed_command_prints() -> None:
    command = Path(sys.executable).with_name("airflow-cwevents")
    done = subprocess.run([command, "policy", "trust"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == trust_policy()
