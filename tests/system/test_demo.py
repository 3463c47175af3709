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
from airflow_cwevents._cli.main import main
from airflow_cwevents._cli.processes import python_command
from tests.airflow_versions import needs_airflow

needs_api_server = needs_airflow("3.0", "The API server, which demo --receive starts,")

COMMAND = [*python_command("airflow_cwevents"), "demo"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose AWS, proxy, Airflow, ministack and Docker may not be used."""
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
    """Assert afterwards that no process and no file is left, and that nobody called Docker."""
    before = set((tmp_path / "home").rglob("*"))
    with socket.socket(socket.AF_UNIX) as docker:
        docker.bind(str(tmp_path / "docker"))
        docker.listen()
        docker.setblocking(False)
        yield
        with pytest.raises(BlockingIOError):
            docker.accept()
    assert set((tmp_path / "home").rglob("*")) == before
    left = [path.name for path in (tmp_path / "tmp").iterdir() if not path.name.startswith("airflow-cwevents-logs-")]
    assert left == []
    psutil.wait_procs([process for process in psutil.process_iter() if str(tmp_path) in _environment(process)])


def _environment(process: psutil.Process) -> str:
    """Return a process's environment, and its log: Airflow's API server overwrites its environment."""
    try:
        return f"{process.environ()} {os.readlink(f'/proc/{process.pid}/fd/2')}"
    except (OSError, psutil.Error):
        return ""


@pytest.mark.usefixtures("clean")
def test_event_is_shown_as_the_function_received_it(environment: dict[str, str], tmp_path: Path) -> None:
    for module in ("calendar", "airflow_local_settings"):  # Python and Airflow import them
        (tmp_path / f"{module}.py").write_text("raise SystemExit('the working directory is on the path')")
    run = subprocess.run(COMMAND, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    event = json.loads(re.search(r"^\{$.*^\}$", run.stdout, re.MULTILINE | re.DOTALL)[0])  # type: ignore[index]
    assert event["detail"] == {"key1": "value1", "key2": "value2"}
    assert event["detail-type"] == "appRequestSubmitted"
    assert "Starting Airflow (about 10 s)" in run.stdout
    assert f"put_events   {event['id']}" in run.stdout
    assert "put_rule     arn:aws:events:us-east-1:000000000000:rule/DEMO_EVENT" in run.stdout
    assert "put_targets  myCloudWatchEventsTarget" in run.stdout
    assert "REAL" not in run.stdout


def test_receiving_needs_airflow_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: {"apache-airflow": "2.11.0"}[name])
    assert main(["demo", "--receive"]) == 2
    assert "--receive needs Airflow 3.0 or later, and this is 2.11.0" in capsys.readouterr().err


@pytest.mark.whole_airflow
@needs_api_server
@pytest.mark.usefixtures("clean")
def test_events_start_dag_runs(environment: dict[str, str]) -> None:
    run = subprocess.run([*COMMAND, "--receive"], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    sent = re.findall(r"^  sent event  (.*)$", run.stdout, re.MULTILINE)
    started = re.findall(r"^  event__(\S+)  success  (.*)$", run.stdout, re.MULTILINE)
    assert len(sent) == 3
    assert {event_id: json.loads(detail) for event_id, detail in started} == {
        event_id: {"number": number, "amount": 100 * number} for number, event_id in enumerate(sent, 1)
    }
    assert run.stdout.endswith("Nothing was left behind.\n")


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("options", "when", "number"),
    [
        ([], "Starting a local AWS", signal.SIGHUP),
        ([], "Starting Airflow", signal.SIGINT),
        ([], "Running DAG", signal.SIGTERM),
        pytest.param(["--receive"], "Starting Airflow", signal.SIGINT, marks=needs_api_server),
        pytest.param(
            ["--receive"], "waits for events", signal.SIGTERM, marks=[needs_api_server, pytest.mark.whole_airflow]
        ),
    ],
)
def test_signal_interrupts(environment: dict[str, str], options: list[str], when: str, number: signal.Signals) -> None:
    command = [*COMMAND, *options]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert any(when in line for line in process.stdout)
    process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == 130
    assert errors == "\nInterrupted. Nothing was left behind.\n"
    assert "Traceback" not in output


def failed_run(environment: dict[str, str], alteration: str = "") -> tuple[str, Path]:
    """Run the demo with something altered that makes it fail; return the message, and the folder with the logs."""
    program = f"import airflow_cwevents._cli.demo.run as demo\n{alteration}\nraise SystemExit(demo.run_demo())"
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    said, logs = run.stderr.removesuffix("\nNothing else was left behind.\n").split("\nLogs: ")
    return said, Path(logs)


@pytest.mark.usefixtures("clean")
def test_failed_dag_run_keeps_the_logs(environment: dict[str, str], tmp_path: Path) -> None:
    dag_file = """
from airflow.sdk import DAG, task

with DAG("example_cwevents", schedule=None) as dag:

    @task
    def fail():
        raise ValueError("on purpose")

    fail()
"""
    (tmp_path / "example_cwevents.py").write_text(dag_file)
    alteration = f"from pathlib import Path\ndemo.example_dags_folder = lambda: Path({str(tmp_path)!r})"
    said, logs = failed_run(environment, alteration)
    assert said == "\nThe demo failed: RuntimeError: the DAG run failed"
    assert "on purpose" in (logs / "airflow.log").read_text()
    assert "MiniStack" in (logs / "ministack.log").read_text()


@pytest.mark.usefixtures("clean")
def test_failed_start_of_the_local_aws_keeps_the_logs(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ministack.py").write_text("raise SystemExit('out of order')")
    path = f"{tmp_path}{os.pathsep}{environment.get('PYTHONPATH', '')}"
    said, logs = failed_run({**environment, "PYTHONPATH": path})
    assert said == "\nThe demo failed: ministack ended: out of order"
    assert "out of order" in (logs / "ministack.log").read_text()


@pytest.mark.usefixtures("clean")
def test_slow_airflow_is_ended(environment: dict[str, str]) -> None:
    said, _ = failed_run(environment, "demo.AIRFLOW_SECONDS = 0.1")
    assert said == "\nThe demo failed: Airflow took longer than 0.1 s"


@pytest.mark.usefixtures("clean")
def test_broken_pipe_ends_quietly(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert "Starting a local AWS" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_folder_that_is_left_behind_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "_run", lambda signals, folder: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert demo.run_demo() == 0
    assert "Nothing was left behind." in capsys.readouterr().out
    monkeypatch.setattr("shutil.rmtree", lambda folder, ignore_errors: None)
    assert demo.run_demo() == 0
    assert capsys.readouterr().out.endswith(f" s. {next(tmp_path.iterdir())} was left behind.\n")
