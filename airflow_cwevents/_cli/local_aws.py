"""
``airflow-cwevents local-aws``, and the local AWS of the demo and the tests.

It is the emulator ministack, as a process that listens on the loopback address only.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import site
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from airflow_cwevents._cli.errors import CommandError
from airflow_cwevents._cli.processes import (
    SignalHandler,
    free_port,
    last_line,
    process_group,
    python_command,
    temporary_folder,
)

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # the emulator takes any
START_SECONDS = 120
# What Python and the libraries that it loads need from the user's environment. Nothing else is passed on: no AWS
# credentials or profile, no proxy, no settings of the user's Airflow, ministack (whose names are plain) or Docker.
_KEPT = frozenset({"PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SYSTEMROOT"})
_KEPT_PREFIXES = ("LC_", "PYTHON")


def clean_environment(folder: Path) -> dict[str, str]:
    """
    Return environment variables for a process that can reach no real AWS and leaves nothing behind.

    :param folder: the folder for its home directory and temporary files.
    """
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    return {
        **kept,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONUSERBASE": site.getuserbase(),  # otherwise below HOME
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "*",
    }


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """
    Register the command.

    :param commands: the subparsers of ``airflow-cwevents``.
    """
    local_aws = commands.add_parser("local-aws", help="run a local AWS (ministack) until Ctrl-C, to try DAGs on")
    local_aws.add_argument("--port", type=int, default=4566, help="the port; 0 for any; default: %(default)s")
    local_aws.set_defaults(run=lambda options: run_local_aws(options.port))


def run_local_aws(port: int) -> int:
    """
    Run a local AWS until a signal; the command that exports the Airflow connection goes to standard output.

    :param port: the port.
    :return: the exit status: 0 after a signal.
    :raises CommandError: if it cannot be started, or ends by itself.
    """
    require_ministack()
    with ExitStack() as stack:
        signals = SignalHandler(stack)
        aws = LocalAws(temporary_folder(stack, "local-aws"), port)
        process = stack.enter_context(aws.process())
        with suppress(KeyboardInterrupt), signals.enabled():
            aws.wait_until_ready(process)
            print(f"Local AWS on {aws.url}, empty at each start; Ctrl-C ends it. For Airflow:", file=sys.stderr)
            print(f"export AIRFLOW_CONN_AWS_DEFAULT='{aws.connection}'", flush=True)
            process.wait()
            raise CommandError(f"ministack ended: {last_line(aws.log)}")
    return 0


def require_ministack() -> None:
    """
    Check that the emulator is installed.

    :raises CommandError: if it is not.
    """
    if importlib.util.find_spec("ministack") is None:
        raise CommandError("the package ministack is missing. Install 'airflow-provider-cwevents[demo]'")


def connection_to(url: str) -> str:
    """
    Return an Airflow connection to a local AWS, as JSON.

    :param url: its endpoint.
    """
    extra = {"region_name": REGION, "endpoint_url": url}
    return json.dumps({"conn_type": "aws", "login": "test", "password": "test", "extra": extra})


class LocalAws:
    """
    A local AWS. It keeps nothing when it ends.

    :param folder: a folder for its log and its temporary files.
    :param port: the port; 0 for any that is free.
    :raises CommandError: if the port is in use.
    """

    region = REGION

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._folder = folder
        self.log = folder / "ministack.log"
        self._port = free_port(port)
        self.url = f"http://127.0.0.1:{self._port}"

    @contextmanager
    def process(self) -> Iterator[subprocess.Popen[str]]:
        """
        Start it, and end it.

        :return: the process.
        """
        environment = {
            **clean_environment(self._folder),
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",  # this and SFTP would listen on all interfaces
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{self._folder}/no-docker",  # it removes the containers of other ministacks
        }
        with process_group(python_command("ministack"), self.log, environment) as process:
            yield process

    def wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        """
        Wait until it answers.

        :param process: the process.
        :raises CommandError: if it ends before, or takes too long.
        """
        opener = build_opener(ProxyHandler({}))
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            if process.poll() is not None:
                raise CommandError(f"ministack ended: {last_line(self.log)}")
            try:
                opener.open(f"{self.url}/_ministack/health", timeout=5).close()
            except OSError:  # URLError included
                time.sleep(0.05)
            else:
                return
        raise CommandError(f"ministack did not answer within {START_SECONDS} s")

    @property
    def connection(self) -> str:
        """An Airflow connection to it, for the environment variable ``AIRFLOW_CONN_AWS_DEFAULT``."""
        return connection_to(self.url)

    def airflow_environment(self, folder: Path) -> dict[str, str]:
        """
        Return environment variables for an Airflow whose AWS this is, and that can reach no other.

        :param folder: the folder for its home directory and temporary files.
        """
        return {
            **clean_environment(folder),
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": self.region,
            "AIRFLOW_CONN_AWS_DEFAULT": self.connection,
        }

    def client(self, service_name: str) -> Any:
        """Return a boto3 client for it; the environment has no influence on it."""
        import boto3

        create_client: Any = boto3.client  # its stub only takes literal names of services
        return create_client(
            service_name,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
