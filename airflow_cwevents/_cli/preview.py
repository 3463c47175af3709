"""``airflow-cwevents preview``: what targets receive for an event."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_cwevents._cli.json_files import read_json
from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.targets import preview_target_input

NOTHING = "(nothing: a placeholder in quotes stands for an object or a list)"


def add_parser(commands: Any) -> None:
    """
    Add the command.

    :param commands: the subparsers of the command line.
    """
    parser = commands.add_parser("preview", help="print what targets receive for an event, without AWS")
    parser.add_argument("targets", help="a JSON file with a target, or a list of targets, as PutTargets takes them")
    parser.add_argument("event", help="a JSON file with an event as it is delivered")
    parser.set_defaults(parser=parser, run=_run)


def _run(options: argparse.Namespace) -> int:
    content, event = read_json(options.targets), read_json(options.event)
    targets = content if isinstance(content, list) else [content]
    for index, target in enumerate(targets):
        if not isinstance(target, dict):
            raise InvalidInputError(f"targets[{index}]", "it is not an object", "Write Id, Arn and an input", target)
        received = preview_target_input(target, event)
        if len(targets) > 1:
            print(f"{target.get('Id', index)}:")
        print(NOTHING if received is None else received)
    return 0
