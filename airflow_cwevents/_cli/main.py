"""The command ``airflow-cwevents``. Each subcommand registers itself and sets ``run``: options in, exit status out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from airflow_cwevents import __version__
from airflow_cwevents._cli import local_aws, policy, preview
from airflow_cwevents._cli.demo import run as demo
from airflow_cwevents._cli.errors import CommandError
from airflow_cwevents.exceptions import CloudWatchEventsError

COMMANDS = (demo, local_aws, policy, preview)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: the arguments of the command line; None for those of this process.
    :return: the exit status.
    """
    options = _parser().parse_args(arguments)
    if options.run is None:  # no subcommand
        options.parser.print_help()
        return 0
    try:
        status: int = options.run(options)
    except (CommandError, CloudWatchEventsError) as error:
        print(f"airflow-cwevents: {error}", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="airflow-cwevents", description="Airflow provider for CloudWatch Events")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(parser=parser, run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
