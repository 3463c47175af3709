"""A local AWS: the emulator ministack, as a process on the loopback address, and an environment that knows no other."""

from __future__ import annotations

import json
import os
import site
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from airflow_cwevents._cli.demo.processes import Process, python_command

REGION = "us-east-1"
START_SECONDS = 30
# What might lead to the real AWS, to a proxy, or to the user's own Airflow.
_FOREIGN_PREFIXES = ("AWS_", "AIRFLOW", "_AIRFLOW", "BOTO", "MINISTACK_", "LOCALSTACK_")
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
# What Python, and the libraries that it loads, need of the user's environment.
_KEPT_PREFIXES = ("LC_", "PYTHON")
_KEPT = frozenset({"PATH", "HOME", "TMPDIR", "LANG", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SYSTEMROOT"})


class LocalAwsError(Exception):
    """The local AWS did not start; the text says why."""


class LocalAws:
    """
    A local AWS that listens on the loopback address only.

    :param folder: a folder for its log.
    """

    region = REGION

    def __init__(self, folder: Path) -> None:
        self._log = folder / "ministack.log"
        self._port = _free_port()
        self._process: Process | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    @contextmanager
    def process(self) -> Iterator[Process]:
        """Start it, and end it; nothing of it is kept."""
        command = python_command("ministack")
        with Process(command, self._log, self._environment(), piped=False) as self._process:
            yield self._process

    def _environment(self) -> dict[str, str]:
        """Return an environment without the user's settings of ministack, whose names are plain, or their Docker."""
        kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
        return {
            **kept,
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",  # it and SFTP would listen on ports, and not on the loopback address only
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{self._log.parent}/no-docker",  # it removes the containers of other ministacks
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "*",
        }

    def wait_until_ready(self) -> None:
        """
        Wait until it answers.

        :raises LocalAwsError: if it ends before, or takes too long.
        """
        opener = build_opener(ProxyHandler({}))
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at and self._process and self._process.is_running:
            try:
                opener.open(f"{self.url}/_ministack/health", timeout=5).close()
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
            else:
                return
        raise LocalAwsError(f"ministack ended before it answered, or did not answer within {START_SECONDS} s")

    @property
    def connection(self) -> str:
        """An Airflow connection that leads to it, for the environment variable ``AIRFLOW_CONN_AWS_DEFAULT``."""
        extra = {"region_name": self.region, "endpoint_url": self.url}
        return json.dumps({"conn_type": "aws", "login": "test", "password": "test", "extra": extra})

    def client(self, service_name: str) -> Any:
        """Return a boto3 client for it, whatever the environment says."""
        import boto3

        create_client: Any = boto3.client  # its stub wants the name of a service that it knows
        return create_client(
            service_name,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator takes any
        )


@contextmanager
def isolated_environment(folder: Path, endpoint_url: str) -> Iterator[None]:
    """
    Take out of this process's environment, which its children inherit, all that leads to another AWS or Airflow.

    :param folder: a folder that serves as the home directory, and for temporary files.
    :param endpoint_url: the one AWS that is to be known.
    """
    before = dict(os.environ)
    home = folder / "home"
    home.mkdir()
    for name in before:
        if name.startswith(_FOREIGN_PREFIXES) or name.upper() in _PROXIES:
            del os.environ[name]
    os.environ.update(
        PYTHONUSERBASE=site.getuserbase(),
        HOME=str(home),
        TMPDIR=str(folder),
        AWS_ENDPOINT_URL=endpoint_url,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106 - the emulator takes any
        AWS_DEFAULT_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY="*",
        PYTHONDONTWRITEBYTECODE="1",
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
