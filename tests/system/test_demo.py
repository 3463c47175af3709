"""The demo as a user runs it: a command, its output, its exit status, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airflow_cwevents._cli.demo import run as demo
from airflow_cwevents._cli.demo.interrupts import SIGNALS
from airflow_cwevents._cli.demo.processes import python_command

COMMAND = [*python_command("airflow_cwevents"), "demo"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give a user's environment, with an AWS, a proxy, an Airflow, a ministack and a Docker, all to be let alone."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id = REAL\naws_secret_access_key = REAL\n")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    return {
        **os.environ,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONUNBUFFERED": "",
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://REAL:REAL@",
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home / "state"),
        "SERVICES": "s3",
        "USE_SSL": "1",
        "LAMBDA_EXECUTOR": "docker",
        "DOCKER_HOST": f"unix://{tmp_path}/docker",
    }


@pytest.fixture
def clean(tmp_path: Path, environment: dict[str, str]) -> Iterator[None]:
    """Look afterwards whether a process or a file is left."""
    before = set((tmp_path / "home").rglob("*"))
    with socket.socket(socket.AF_UNIX) as docker:
        docker.bind(str(tmp_path / "docker"))
        docker.listen()
        docker.setblocking(False)
        yield
        with pytest.raises(BlockingIOError):  # nobody called
            docker.accept()
    assert set((tmp_path / "home").rglob("*")) == before
    left = [path.name for path in (tmp_path / "tmp").iterdir() if not path.name.startswith("airflow-cwevents-logs-")]
    assert left == []
    assert [process for process in psutil.process_iter() if str(tmp_path) in _environment(process)] == []


def _environment(process: psutil.Process) -> str:
    try:
        return str(process.environ())
    except psutil.Error:
        return ""


@pytest.mark.usefixtures("clean")
def test_shows_the_event_as_the_function_received_it(environment: dict[str, str], tmp_path: Path) -> None:
    for module in ("calendar", "airflow_local_settings"):  # Python and Airflow import them
        (tmp_path / f"{module}.py").write_text("raise SystemExit('the working directory is on the path')")
    run = subprocess.run(COMMAND, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
    assert run.returncode == 0, run.stdout + run.stderr
    event = json.loads(re.search(r"^\{$.*^\}$", run.stdout, re.MULTILINE | re.DOTALL)[0])  # type: ignore[index]
    assert event["detail"] == {"key1": "value1", "key2": "value2"}
    assert event["detail-type"] == "appRequestSubmitted"
    assert f"put_events   {event['id']}" in run.stdout
    assert "put_rule     arn:aws:events:us-east-1:000000000000:rule/DEMO_EVENT" in run.stdout
    assert "put_targets  myCloudWatchEventsTarget" in run.stdout
    assert "REAL" not in run.stdout


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("when", ["Starting a local AWS", "Created role", "put_rule"])
def test_interrupted(environment: dict[str, str], when: str, number: signal.Signals) -> None:
    process = subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if when in line:
            break
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in errors
    assert "Traceback" not in output + errors


def run_altered(environment: dict[str, str], alteration: str) -> tuple[str, Path]:
    """Run the demo with something altered that makes it fail; return what it says, and where the logs are."""
    program = f"import airflow_cwevents._cli.demo.run as demo\n{alteration}\nraise SystemExit(demo.run_demo())"
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=180)
    assert run.returncode == 1
    said, logs = run.stderr.removesuffix("\nNothing else was left behind.\n").split("\nLogs: ")
    return said, Path(logs)


@pytest.mark.usefixtures("clean")
def test_failure_of_the_dag(environment: dict[str, str]) -> None:
    alteration = 'demo.create_prerequisites = lambda aws: {"role_arn": "no ARN", "function_arn": "no ARN"}'
    said, logs = run_altered(environment, alteration)
    assert said == "\nThe demo failed: the DAG did not run to its end"
    assert "role_arn" in (logs / "airflow.log").read_text()
    assert "MiniStack" in (logs / "ministack.log").read_text()


@pytest.mark.usefixtures("clean")
def test_failure_of_the_demo_itself(environment: dict[str, str]) -> None:
    said, logs = run_altered(environment, "demo.create_prerequisites = lambda aws: 1 / 0")
    assert said == "\nThe demo failed: ZeroDivisionError('division by zero')"
    assert "Traceback" in (logs / "demo.log").read_text()


@pytest.mark.usefixtures("clean")
def test_airflow_takes_too_long(environment: dict[str, str]) -> None:
    said, _ = run_altered(environment, "demo.AIRFLOW_SECONDS = 0.1")
    assert said == "\nThe demo failed: Airflow took longer than 0.1 s"


@pytest.mark.usefixtures("clean")
def test_nobody_reads_on(environment: dict[str, str]) -> None:
    process = subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    assert "Starting a local AWS" in process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 1


def test_says_what_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "_run", lambda interrupts, folder: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert demo.run_demo() == 0
    assert "Nothing was left behind." in capsys.readouterr().out
    monkeypatch.setattr("shutil.rmtree", lambda folder, ignore_errors: None)
    assert demo.run_demo() == 0
    assert capsys.readouterr().out.endswith(f" s. {next(tmp_path.iterdir())} was left behind.\n")
