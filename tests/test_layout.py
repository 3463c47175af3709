"""The layout of the project, and which part may import which."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_cwevents"
TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "airflow_cwevents",
    "dags",
    "pyproject.toml",
    "tests",
}
PUBLIC = {
    "__init__",
    "__main__",
    "decorators",
    "exceptions",
    "get_provider_info",
    "hooks",
    "iam",
    "links",
    "operators",
    "patterns",
    "queues",
    "schedules",
    "sensors",
    "targets",
    "transfers",
    "triggers",
}
KINDS = {"decorators", "links", "operators", "queues", "sensors", "transfers", "triggers"}
LIBRARIES = {"exceptions", "iam", "patterns", "schedules", "_aws"}
# The parts of the package that a part may import, besides itself.
ALLOWED: dict[str, set[str]] = {
    "exceptions": set(),
    "_aws": {"exceptions"},
    "schedules": {"exceptions", "_aws"},
    "patterns": {"exceptions", "_aws"},
    "iam": {"exceptions", "_aws"},
    "_declare": LIBRARIES,
    "_send": LIBRARIES,
    "_receive": {*LIBRARIES, "_declare"},
    "targets": {"_declare"},
    "_airflow": {"exceptions", "_declare"},
    "hooks": {*LIBRARIES, "_declare", "_send", "_receive"},
    **{kind: {*LIBRARIES, *KINDS, "_airflow", "_declare", "_send", "_receive", "hooks"} for kind in KINDS},
    "_cli": {"__version__", "_airflow", "targets", *LIBRARIES},
    "__main__": {"_cli"},
    "__init__": set(),
    "get_provider_info": set(),
}
# Modules that may be used without AWS: nothing in them imports boto3 or botocore.
PURE = (
    "exceptions.py",
    "schedules.py",
    "iam",
    "patterns",
    "_aws/arns.py",
    "_aws/json_text.py",
    "_aws/limits.py",
    "_aws/target_types.py",
    "_aws/validation.py",
    "_declare/checks.py",
    "_declare/event_queue_spec.py",
    "_declare/rule_spec.py",
    "_declare/event_paths.py",
    "_declare/input_templates.py",
    "_declare/target_input.py",
    "_declare/target_preview.py",
    "_declare/target_spec.py",
    "_receive/envelopes.py",
    "_send/batching.py",
    "_send/entries.py",
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Yield the names of the modules that a module imports, at any level."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield f"{node.module}.{node.names[0].name}" if node.module == "airflow_cwevents" else str(node.module)


def test_top_level_holds_nothing_else() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a git checkout, so the project's files are not known")
    assert {line.split("/")[0] for line in listed.stdout.splitlines()} == TOP_LEVEL


def test_wheel_installs_only_the_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [PACKAGE.name]


def test_names_without_underscore_are_public() -> None:
    found = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    assert {name for name in found if not name.startswith("_") or name.startswith("__")} - {"__pycache__"} == PUBLIC


def test_modules_import_only_what_their_part_may() -> None:
    forbidden: dict[str, set[str]] = {}
    for path in modules():
        part = part_of(path)
        parts = {name.split(".")[1] for name in imports_of(path) if name.startswith("airflow_cwevents.")}
        if found := parts - ALLOWED[part] - {part}:
            forbidden[str(path.relative_to(PACKAGE))] = found
    assert forbidden == {}


def test_pure_modules_import_no_boto3() -> None:
    forbidden: dict[str, set[str]] = {}
    for place in PURE:
        paths = [PACKAGE / place] if place.endswith(".py") else sorted((PACKAGE / place).glob("*.py"))
        assert paths, place
        roots = {name.split(".")[0] for path in paths for name in imports_of(path)}
        if found := roots & {"airflow", "boto3", "botocore"}:
            forbidden[place] = found
    assert forbidden == {}
