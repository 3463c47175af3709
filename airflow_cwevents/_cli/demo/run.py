"""
``airflow-cwevents demo``: AWS's tutorial "Sending events to CloudWatch Events", on this machine.

It starts a local AWS (ministack), creates what the tutorial asks for beforehand, runs ``example_cwevents`` in a real
Airflow, and shows the event as the Lambda function received it. All of it lives in one temporary folder and two
process groups, which are gone at the end, however it ends.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path
from typing import Any

from airflow_cwevents._cli.demo.interrupts import Interrupts
from airflow_cwevents._cli.demo.local_aws import LocalAws, LocalAwsError, isolated_environment
from airflow_cwevents._cli.demo.processes import Process, python_command
from airflow_cwevents.iam.documents import trust_policy, tutorial_role_policy

ROLE = "AWS_Events_Invoke_Targets"
FUNCTION = "hello-world"
# The function's log is where it puts what it receives.
FUNCTION_CODE = """\
import json


def handler(event, context):
    print("Hello from Lambda! " + json.dumps(event))
"""
ARRIVAL_SECONDS = 30
AIRFLOW_SECONDS = 300
FAILED = 1
INTERRUPTED = 130


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """
    Register the command.

    :param commands: the subparsers of ``airflow-cwevents``.
    """
    demo = commands.add_parser("demo", help="send an event to a Lambda function, from Airflow, on a local AWS")
    demo.set_defaults(run=lambda _: run_demo())


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


def run_demo() -> int:
    """
    Run the demo, and tell how it goes on standard output.

    :return: the exit status: 0 if the function received the event.
    """
    if importlib.util.find_spec("ministack") is None:
        print("The demo needs the package ministack. Install 'airflow-provider-cwevents[demo]'", file=sys.stderr)
        return FAILED
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # also where it is no terminal
    try:
        return _run_and_clean_up()
    except BrokenPipeError:  # nobody reads on, as with ``airflow-cwevents demo | head -1``
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def example_dags_folder() -> Path:
    """Return the folder with the example DAGs: installed where Airflow looks for them, in a checkout at the top."""
    top = Path(__file__).parents[3]
    installed = top / "airflow_provider_cwevents" / "example_dags"
    return installed if installed.is_dir() else top / "dags"


def _run_and_clean_up() -> int:
    with Interrupts() as interrupts:
        folder = Path(tempfile.mkdtemp(prefix="airflow-cwevents-demo-"))
        try:
            status, outcome = _outcome(interrupts, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        left = folder if folder.exists() else "Nothing else" if status == FAILED else "Nothing"
        print(f"{outcome}{left} was left behind.", file=sys.stderr if status else sys.stdout)
        return status


def _outcome(interrupts: Interrupts, folder: Path) -> tuple[int, str]:
    """Run the demo, and return the exit status and what to say at the end."""
    began_at = time.monotonic()
    try:
        _run(interrupts, folder)
    except KeyboardInterrupt:
        return INTERRUPTED, "\nInterrupted. "
    except BrokenPipeError:
        raise
    except Exception as error:
        (folder / "demo.log").write_text(traceback.format_exc())
        reason = error if isinstance(error, DemoError | LocalAwsError) else repr(error)
        return FAILED, f"\nThe demo failed: {reason}\nLogs: {_keep_logs(folder)}\n"
    return 0, f"Done in {time.monotonic() - began_at:.0f} s. "


def _run(interrupts: Interrupts, folder: Path) -> None:
    aws = LocalAws(folder)
    print(f"Starting a local AWS (ministack) on {aws.url}")
    with isolated_environment(folder, aws.url), aws.process(), _airflow(aws, folder) as airflow:
        with interrupts.allowed():
            event = _run_tutorial(aws, airflow)
        print(f"\nThe Lambda function received:\n{json.dumps(event, indent=2)}\n")


def _run_tutorial(aws: LocalAws, airflow: Process) -> dict[str, Any]:
    aws.wait_until_ready()
    event_id = _run_dag(airflow, create_prerequisites(aws))
    return received_event(aws, event_id)


def _airflow(aws: LocalAws, folder: Path) -> Process:
    """Return Airflow as a process of its own, which gets ready while the rest does; see ``demo_airflow``."""
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(example_dags_folder() / "example_cwevents.py", dags)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_AWS_DEFAULT": aws.connection,
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return Process(
        python_command("airflow_cwevents._cli.demo.airflow_run"), folder / "airflow.log", environment, piped=True
    )


def create_prerequisites(aws: LocalAws) -> dict[str, str]:
    """
    Create the role and the function of the tutorial's first part.

    :param aws: where to.
    :return: the parameters of ``example_cwevents``.
    """
    iam = aws.client("iam")
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust_policy()))["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=ROLE, PolicyName="CloudWatchEvents", PolicyDocument=json.dumps(tutorial_role_policy(ROLE))
    )
    print(f"Created role      {role}")
    function = aws.client("lambda").create_function(
        FunctionName=FUNCTION,
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": _zipped("index.py", FUNCTION_CODE)},
    )["FunctionArn"]
    print(f"Created function  {function}")
    return {"role_arn": role, "function_arn": function}


def _zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def _run_dag(airflow: Process, conf: dict[str, str]) -> str:
    print("Running DAG example_cwevents in Airflow")
    results: dict[str, Any] = {}
    airflow.write_line(json.dumps(conf))
    try:
        for line in airflow.lines(AIRFLOW_SECONDS):
            report = json.loads(line)
            results[report["task"]] = report["result"]
            print(f"  {report['task']:<12} {_shown(report['result'])}")
    except TimeoutError as error:
        raise DemoError(f"Airflow took longer than {AIRFLOW_SECONDS} s") from error
    if "put_events" not in results:
        raise DemoError("the DAG did not run to its end")
    return str(results["put_events"][0])


def _shown(result: object) -> str:
    return ", ".join(map(str, result)) if isinstance(result, list) else str(result)


def received_event(aws: LocalAws, event_id: str) -> dict[str, Any]:
    """
    Read what the function received from where it put it.

    :param aws: where the function is.
    :param event_id: the event's id.
    :return: the event.
    :raises DemoError: if it does not arrive in time.
    """
    logs = aws.client("logs")
    give_up_at = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < give_up_at:
        for message in _log_messages(logs):
            if event_id in message:
                event: dict[str, Any] = json.loads(message[message.index("{") :])
                return event
        time.sleep(0.2)
    raise DemoError(f"event {event_id} did not reach the function within {ARRIVAL_SECONDS} s")


def _log_messages(logs: Any) -> list[str]:
    group = f"/aws/lambda/{FUNCTION}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]


def _keep_logs(folder: Path) -> Path:
    """Save the logs from being removed with the rest, and return where they are."""
    kept = Path(tempfile.mkdtemp(prefix="airflow-cwevents-logs-"))
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)
    return kept
