from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import pytest

from airflow_cwevents._cli.main import main
from airflow_cwevents._cli.processes import python_command

COMMAND = [*python_command("airflow_cwevents"), "local-aws"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary folder is that of the test."""
    return {**os.environ, "TMPDIR": str(tmp_path)}


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command, on any port that is free."""
    with subprocess.Popen([*COMMAND, "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.send_signal(signal.SIGINT)


def listening_hosts(process: psutil.Process) -> set[str]:
    processes = [process, *process.children(recursive=True)]
    sockets = [connection for each in processes for connection in each.net_connections("inet")]
    return {connection.laddr.ip for connection in sockets if connection.status == psutil.CONN_LISTEN}


def test_prints_the_connection_and_ends_clean(running: subprocess.Popen[str], tmp_path: Path) -> None:
    assert running.stdout
    line = running.stdout.readline()
    connection = json.loads(re.fullmatch(r"export AIRFLOW_CONN_AWS_DEFAULT='(.*)'\n", line)[1])  # type: ignore[index]
    url = connection["extra"]["endpoint_url"]
    sqs = boto3.client("sqs", endpoint_url=url, region_name=connection["extra"]["region_name"])
    assert sqs.create_queue(QueueName="q")["QueueUrl"]
    assert listening_hosts(psutil.Process(running.pid)) == {"127.0.0.1"}

    running.send_signal(signal.SIGINT)
    assert running.wait() == 0
    assert running.stdout.read() == ""
    assert list(tmp_path.iterdir()) == []


def test_port_in_use_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = subprocess.run([*COMMAND, "--port", str(port)], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"airflow-cwevents: port {port}: {os.strerror(errno.EADDRINUSE)}. Pass another port\n"
    assert list(tmp_path.iterdir()) == []


def test_failed_start_shows_the_reason(environment: dict[str, str], tmp_path: Path) -> None:
    modules, temporary = tmp_path / "modules", tmp_path / "tmp"
    modules.mkdir()
    temporary.mkdir()
    (modules / "ministack.py").write_text("raise SystemExit('out of order')")
    path = os.pathsep.join([str(modules), environment.get("PYTHONPATH", "")])
    environment.update(PYTHONPATH=path, TMPDIR=str(temporary))
    run = subprocess.run([*COMMAND, "--port", "0"], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "airflow-cwevents: ministack ended: out of order\n"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("command", ["demo", "local-aws"])
def test_missing_ministack_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([command]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "airflow-provider-cwevents[demo]" in err
