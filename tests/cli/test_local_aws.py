from __future__ import annotations

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

from airflow_cwevents._cli.local_aws import LocalAws
from airflow_cwevents._cli.processes import python_command

COMMAND = [*python_command("airflow_cwevents"), "local-aws"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary folder is that of the test."""
    return {**os.environ, "TMPDIR": str(tmp_path)}


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command, on a port that is free."""
    port = LocalAws(Path()).url.rpartition(":")[2]
    command = [*COMMAND, "--port", port]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
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
    assert run.stderr == f"airflow-cwevents: port {port} is in use. Pass another one\n"
    assert list(tmp_path.iterdir()) == []
