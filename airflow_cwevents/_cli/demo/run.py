"""
``airflow-cwevents demo``: AWS's tutorial "Sending events to CloudWatch Events", on this machine.

It starts a local AWS (ministack), creates what the tutorial asks for beforehand, runs ``example_cwevents`` in a real
Airflow, and shows the event as the Lambda function received it. With ``--receive``, events start DAG runs instead, see
``receive.py``. Everything lives in a temporary folder and processes, which are removed at the end, however it ends.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

from airflow_cwevents._cli.demo.receive import ReceivingDemo
from airflow_cwevents._cli.errors import CommandError
from airflow_cwevents._cli.local_airflow import require_airflow_3
from airflow_cwevents._cli.local_aws import LocalAws, require_ministack
from airflow_cwevents._cli.processes import (
    SignalHandler,
    last_line,
    process_group,
    python_command,
    signal_group,
    temporary_folder,
)

AIRFLOW_SECONDS = 300.0
FAILED = 1
INTERRUPTED = 130

Scenario = Callable[[SignalHandler, Path], None]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """
    Register the command.

    :param commands: the subparsers of ``airflow-cwevents``.
    """
    demo = commands.add_parser("demo", help="send an event to a Lambda function, from Airflow, on a local AWS")
    demo.add_argument("--receive", action="store_true", help="instead, let events start DAG runs")
    demo.set_defaults(run=lambda options: run_demo(receive=options.receive))


def run_demo(*, receive: bool = False) -> int:
    """
    Run the demo, and report its progress on standard output.

    :param receive: whether to let events start DAG runs, instead of the tutorial.
    :return: the exit status: 0 if the events arrived.
    :raises CommandError: if ministack is not installed, or Airflow is too old.
    """
    require_ministack()
    if receive:
        require_airflow_3()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # also when piped
    try:
        return _run_and_clean_up(_receive if receive else _run)
    except BrokenPipeError:  # nobody reads on, as with ``airflow-cwevents demo | head -1``
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def example_dags_folder() -> Path:
    """Return the folder with the example DAGs: installed where Airflow looks for them, in a checkout at the top."""
    top = Path(__file__).parents[3]
    installed = top / "airflow_provider_cwevents" / "example_dags"
    return installed if installed.is_dir() else top / "dags"


def _run_and_clean_up(scenario: Scenario) -> int:
    with ExitStack() as stack:
        signals = SignalHandler(stack)
        folder = temporary_folder(stack, "demo")
        status, outcome = _outcome(scenario, signals, folder)
    left = folder if folder.exists() else "Nothing else" if status == FAILED else "Nothing"
    print(f"{outcome}{left} was left behind.", file=sys.stderr if status else sys.stdout)
    return status


def _outcome(scenario: Scenario, signals: SignalHandler, folder: Path) -> tuple[int, str]:
    """Run the demo; return the exit status and the last message."""
    began_at = time.monotonic()
    try:
        scenario(signals, folder)
    except KeyboardInterrupt:
        return INTERRUPTED, "\nInterrupted. "
    except CommandError as error:
        return FAILED, f"\nThe demo failed: {error}\nLogs: {_keep_logs(folder)}\n"
    return 0, f"Done in {time.monotonic() - began_at:.0f} s. "


def _run(signals: SignalHandler, folder: Path) -> None:
    aws = LocalAws(folder)
    with ExitStack() as stack:
        print(f"Starting a local AWS (ministack) on {aws.url}")
        ministack = stack.enter_context(aws.process())
        print("Starting Airflow (about 10 s) ...")
        command = python_command("airflow_cwevents._cli.demo.airflow_run")
        environment = _airflow_environment(aws, folder)
        airflow = stack.enter_context(process_group(command, folder / "airflow.log", environment, piped=True))
        with signals.enabled():
            aws.wait_until_ready(ministack)
            _show_output(airflow)
    if airflow.returncode:
        raise CommandError(last_line(folder / "airflow.log"))


def _receive(signals: SignalHandler, folder: Path) -> None:
    ReceivingDemo(signals, folder, example_dags_folder() / "example_cwevents_dispatch.py", AIRFLOW_SECONDS).run()


def _airflow_environment(aws: LocalAws, folder: Path) -> dict[str, str]:
    dags = folder / "dags"
    dags.mkdir()
    (folder / "airflow").mkdir()  # Airflow 3.0 does not create it
    shutil.copy(example_dags_folder() / "example_cwevents.py", dags)
    return {
        **aws.airflow_environment(folder),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _show_output(airflow: subprocess.Popen[str]) -> None:
    """Start the tutorial, and print the output of Airflow until it ends."""
    give_up_at = time.monotonic() + AIRFLOW_SECONDS
    timer = Timer(AIRFLOW_SECONDS, signal_group, (airflow, signal.SIGKILL))
    timer.start()
    try:
        if airflow.stdin:
            airflow.stdin.close()
        for line in airflow.stdout or ():
            print(line, end="")
        airflow.wait()
    finally:
        timer.cancel()
    if time.monotonic() >= give_up_at:
        raise CommandError(f"Airflow took longer than {AIRFLOW_SECONDS:g} s")


def _keep_logs(folder: Path) -> Path:
    """Copy the logs to a folder that is not removed, and return it."""
    kept = Path(tempfile.mkdtemp(prefix="airflow-cwevents-logs-"))
    for log in (*folder.glob("*.log"), *folder.glob("airflow/*.log")):
        shutil.copy(log, kept)
    return kept
