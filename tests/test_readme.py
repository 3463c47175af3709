"""What the README says is so."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import airflow_cwevents.operators
import airflow_cwevents.sensors
import airflow_cwevents.transfers
from airflow_cwevents._cli.main import main
from airflow_cwevents.exceptions import CloudWatchEventsError
from airflow_cwevents.iam.documents import trust_policy, tutorial_role_policy
from airflow_cwevents.iam.operator_actions import OPERATOR_NEEDS
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from airflow_cwevents.operators.sending import SendingBaseOperator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
OPERATORS: dict[str, type] = {
    name: getattr(module, name)
    for module in (airflow_cwevents.operators, airflow_cwevents.sensors, airflow_cwevents.transfers)
    for name in module.__all__
    if name != "Placeholder"
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def parameters_of(table: str) -> dict[str, str]:
    """Return the parameters and their defaults, the first two columns of a table."""
    rows = [[cell.strip().strip("`") for cell in row.split("|")[1:3]] for row in table.splitlines()]
    return {row[0]: row[1] for row in rows}


def tables_with(head: str) -> list[dict[str, str]]:
    """Return the parameters of the tables whose head has that text."""
    tables = rf"^\| [^\n]*{re.escape(head)}[^\n]* \| Default \| \|\n\|[-|]+\|\n((?:\|.*\n)+)"
    return [parameters_of(table) for table in re.findall(tables, README, re.MULTILINE)]


def own_parameters(operator: type, base: type) -> dict[str, str]:
    """Return the parameters, with their defaults, that an operator adds to its base's."""

    def parameters(cls: type) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in reversed(cls.__mro__):
            if issubclass(each, CloudWatchEventsBaseOperator) and "__init__" in vars(each):
                for name, parameter in inspect.signature(each.__init__).parameters.items():
                    if parameter.kind is parameter.KEYWORD_ONLY:
                        default = parameter.default
                        found[name] = (
                            ""
                            if default is parameter.empty
                            else json.dumps(default)
                            if isinstance(default, str)
                            else str(default)
                        )
        return found

    return {name: default for name, default in parameters(operator).items() if name not in parameters(base)}


def test_first_screens_have_the_two_commands_and_what_they_show() -> None:
    top = "\n".join(README.splitlines()[:60])
    assert "airflow-cwevents demo" in top
    assert ".venv/bin/pytest" in top
    assert "The Lambda function received:" in top


def test_dag_to_copy_is_the_example() -> None:
    example = (ROOT / "dags" / "example_cwevents_quickstart.py").read_text()
    assert example[example.index("from airflow.sdk") :] in blocks("python")


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_has_a_table_with_all_its_parameters(name: str) -> None:
    operator = OPERATORS[name]
    base = SendingBaseOperator if issubclass(operator, SendingBaseOperator) else CloudWatchEventsBaseOperator
    assert tables_with(f"`{name}`") == [own_parameters(operator, base)]


@pytest.mark.parametrize(
    ("base", "above"), [(CloudWatchEventsBaseOperator, object), (SendingBaseOperator, CloudWatchEventsBaseOperator)]
)
def test_shared_parameters_have_a_table(base: type, above: type) -> None:
    assert own_parameters(base, above) in tables_with("Parameter")


@pytest.mark.parametrize("code", blocks("python"))
def test_snippet_runs(code: str) -> None:
    scope: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(code, "README.md", "exec"), scope)  # noqa: S102
    for name, function in list(scope.items()):
        if name.startswith("test_"):
            marks = getattr(function, "pytestmark", [])
            for values in marks[0].args[1] if marks else [()]:
                function(*values)


def test_policies_are_those_of_the_code() -> None:
    assert [json.loads(block) for block in blocks("json")] == [tutorial_role_policy(), trust_policy()]


def test_permissions_are_those_of_the_code() -> None:
    groups = {
        f"*{name}*": set(re.findall(r"`([a-z0-9]+:\w+)`", text))
        for name, text in re.findall(r"^- \*(granting|revoking|encryption)\*: (.*)$", README, re.MULTILINE)
    }
    rows = {}
    for name, row in re.findall(r"^\| `(@?[\w.]+)` \| (`[a-z]+:.*)$", README, re.MULTILINE):
        actions = set(re.findall(r"`([a-z0-9]+:\w+)`", row))
        rows[name] = actions.union(*(group for mark, group in groups.items() if mark in row))
    expected = {name: {action for need in needs for action in need.actions} for name, needs in OPERATOR_NEEDS.items()}
    assert rows == expected


@pytest.mark.parametrize("command", re.findall(r"`airflow-cwevents (policy (?:operators|tutorial|trust))\b", README))
def test_command_is_there(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.split()) == 0
    assert json.loads(capsys.readouterr().out)["Statement"]


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert target[1:] in anchors if target.startswith("#") else (ROOT / target).exists(), target


def test_every_own_error_has_its_place_in_the_tree() -> None:
    import airflow_cwevents.exceptions as exceptions

    for name, value in vars(exceptions).items():
        if isinstance(value, type) and issubclass(value, CloudWatchEventsError) and not name.startswith("_"):
            assert name in (exceptions.__doc__ or ""), name


def test_every_public_class_is_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert [name for name in OPERATORS if name not in changelog] == []
