"""The provider as Airflow discovers it."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

import airflow_cwevents
from airflow_cwevents.get_provider_info import get_provider_info
from tests.airflow_versions import task

DISTRIBUTION = "airflow-provider-cwevents"


def test_info_is_valid_by_the_schema_of_airflow() -> None:
    schema = json.loads((files("airflow") / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_airflow_discovers_the_provider() -> None:
    from airflow.providers_manager import ProvidersManager

    manager: Any = ProvidersManager
    provider = manager().providers[DISTRIBUTION]
    assert provider.version == airflow_cwevents.__version__ == version(DISTRIBUTION)
    assert get_provider_info().items() <= provider.data.items()


def test_airflow_offers_the_decorator() -> None:
    assert callable(task.put_events)


@pytest.mark.parametrize("kind", ["hooks", "operators"])
def test_named_modules_exist(kind: str) -> None:
    for entry in get_provider_info()[kind]:
        for module in entry["python-modules"]:
            assert import_module(module).__all__


def test_every_public_folder_is_named() -> None:
    info = json.dumps(get_provider_info())
    for folder in ("hooks", "operators", "transfers", "decorators", "links"):
        assert f"airflow_cwevents.{folder}" in info
