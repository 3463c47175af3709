"""Ranges and exclusions that botocore lets through: by AWS's reference, and by botocore's model of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from airflow_cwevents._declare.rule_spec import normalise_tags, validated_tags
from airflow_cwevents._declare.target_ranges import PATTERNS, excesses
from airflow_cwevents._declare.target_requests import check_shapes
from airflow_cwevents._declare.target_spec import normalise_target
from airflow_cwevents.exceptions import InvalidInputError, InvalidTargetError

ROLE = "arn:aws:iam::123456789012:role/r"
BATCH = {"Id": "t", "Arn": "arn:aws:batch:us-east-1:123456789012:job-queue/q", "RoleArn": ROLE}
ECS = {"Id": "t", "Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/c", "RoleArn": ROLE}
SSM = {"Id": "t", "Arn": "arn:aws:ssm:us-east-1:123456789012:document/d", "RoleArn": ROLE}


@pytest.fixture(scope="module")
def shape() -> Any:
    return boto3.client("events", region_name="us-east-1").meta.service_model.shape_for("Target")


def batch(**parameters: Any) -> dict[str, Any]:
    return {**BATCH, "BatchParameters": {"JobDefinition": "d", "JobName": "n", **parameters}}


def ecs(**parameters: Any) -> dict[str, Any]:
    return {**ECS, "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:us-east-1:1:task-definition/d", **parameters}}


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ({"ArrayProperties": {"Size": 1}}, "BatchParameters.ArrayProperties.Size"),
        ({"ArrayProperties": {"Size": 10_001}}, "BatchParameters.ArrayProperties.Size"),
        ({"RetryStrategy": {"Attempts": 0}}, "BatchParameters.RetryStrategy.Attempts"),
        ({"RetryStrategy": {"Attempts": 11}}, "BatchParameters.RetryStrategy.Attempts"),
    ],
)
def test_number_out_of_its_documented_range_raises(parameters: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidTargetError) as caught:
        normalise_target(batch(**parameters), 3)
    assert caught.value.place == f"targets[3].{place}"


@pytest.mark.parametrize("size", [2, 10_000])
@pytest.mark.parametrize("attempts", [1, 10])
def test_number_in_its_documented_range_is_accepted(size: int, attempts: int) -> None:
    target = batch(ArrayProperties={"Size": size}, RetryStrategy={"Attempts": attempts})
    assert normalise_target(target, 0) == target


def test_launch_type_excludes_capacity_providers() -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT"}]
    with pytest.raises(InvalidTargetError) as caught:
        normalise_target(ecs(LaunchType="EC2", CapacityProviderStrategy=strategy), 0)
    assert caught.value.place == "targets[0].EcsParameters.CapacityProviderStrategy"
    assert normalise_target(ecs(CapacityProviderStrategy=strategy), 0)


def test_boolean_is_not_an_integer(shape: Any) -> None:
    """As botocore, for which True is one, sends it as true."""
    strategy = [{"capacityProvider": "FARGATE", "weight": True}]
    target = normalise_target(ecs(CapacityProviderStrategy=strategy), 0)
    with pytest.raises(InvalidTargetError) as caught:
        check_shapes([target], shape)
    assert caught.value.place == "targets[0].EcsParameters.CapacityProviderStrategy[0].weight"
    with pytest.raises(InvalidTargetError) as caught:
        normalise_target(batch(RetryStrategy={"Attempts": True}), 0)
    assert caught.value.place == "targets[0].BatchParameters.RetryStrategy.Attempts"


@pytest.mark.parametrize("key", ["aws:x", "AWS:x"])
def test_reserved_tag_raises(key: str) -> None:
    with pytest.raises(InvalidTargetError) as caught:
        normalise_target(ecs(Tags=[{"Key": "team", "Value": "a"}, {"Key": key, "Value": "b"}]), 0)
    assert caught.value.place == "targets[0].EcsParameters.Tags[1].Key"
    with pytest.raises(InvalidInputError) as caught_tag:
        validated_tags({key: "x"})
    assert caught_tag.value.place == f"tags.{key}"
    assert normalise_tags({key: "x"}) == {key: "x"}  # AWS's own tags are read


@pytest.mark.parametrize(("count", "raises"), [(5, False), (6, True)])
def test_items_are_limited_by_the_model(count: int, raises: bool, shape: Any) -> None:
    targets = [{"Key": "tag:team", "Values": ["data"]}] * count
    target = normalise_target({**SSM, "RunCommandParameters": {"RunCommandTargets": targets}}, 0)
    if raises:
        with pytest.raises(InvalidTargetError) as caught:
            check_shapes([target], shape)
        assert caught.value.place == "targets[0].RunCommandParameters.RunCommandTargets"
    else:
        check_shapes([target], shape)


@pytest.mark.parametrize(("length", "raises"), [(256, False), (257, True)])
def test_strings_are_limited_by_the_model(length: int, raises: bool, shape: Any) -> None:
    found = list(excesses({"KinesisParameters": {"PartitionKeyPath": "$" * length}}, shape))
    assert [excess.place for excess in found] == ["KinesisParameters.PartitionKeyPath"] * raises


def test_numbers_are_limited_by_the_model(shape: Any) -> None:
    strategy = [{"capacityProvider": "FARGATE", "weight": 1001}]
    (excess,) = excesses({"EcsParameters": {"CapacityProviderStrategy": strategy}}, shape)
    assert excess.place == "EcsParameters.CapacityProviderStrategy[0].weight"


def test_keys_of_maps_are_limited_by_the_model(shape: Any) -> None:
    (excess,) = excesses({"HttpParameters": {"HeaderParameters": {"x" * 513: "v"}}}, shape)
    assert excess.place.startswith("HttpParameters.HeaderParameters.x")


@pytest.mark.parametrize(
    ("parameters", "is_valid"),
    [
        ({"HeaderParameters": {"X-Team": "data \t eng"}}, True),
        ({"HeaderParameters": {"X-Team": "$.detail.team"}}, True),
        ({"HeaderParameters": {"X-Team": " " * 512}}, True),
        ({"HeaderParameters": {"X Team": "data"}}, False),
        ({"HeaderParameters": {"X-Team": "a\nb"}}, False),
        ({"HeaderParameters": {"X-Team": "ä"}}, False),
        ({"HeaderParameters": {"X-Team": ""}}, False),
        ({"QueryStringParameters": {"größe": "ä\nb"}}, True),
        ({"QueryStringParameters": {"a\tb": "c"}}, False),
        ({"QueryStringParameters": {"a": "\t"}}, False),
        ({"PathParameterValues": ["$.detail.id", "a b"]}, True),
        ({"PathParameterValues": [" "]}, False),
    ],
)
def test_strings_match_the_patterns_of_the_model(parameters: dict[str, Any], is_valid: bool, shape: Any) -> None:
    assert bool(list(excesses({"HttpParameters": parameters}, shape))) is not is_valid


@pytest.mark.parametrize(("name", "is_valid"), [("a", True), ("a--b", True), ("a-", False), ("a_b", False)])
def test_names_of_pipeline_parameters(name: str, is_valid: bool, shape: Any) -> None:
    target = {"SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": name, "Value": "v"}]}}
    places = [excess.place for excess in excesses(target, shape)]
    assert places == ["SageMakerPipelineParameters.PipelineParameterList[0].Name"] * (not is_valid)


def test_every_pattern_of_the_model_is_known(shape: Any) -> None:
    elsewhere = {
        "TargetId",  # rule_spec.check_name
        "InputTransformerPathKey",  # target_input
        "RunCommandTargetKey",  # left to AWS: classes of Unicode, which Python's expressions do not have
        "RedshiftSecretManagerArn",  # left to AWS: ARNs, whose partitions grow
    }
    assert shapes_with_patterns(shape) == PATTERNS.keys() | elsewhere


def shapes_with_patterns(shape: Any) -> set[str]:
    members = {
        "structure": lambda: list(shape.members.values()),
        "list": lambda: [shape.member],
        "map": lambda: [shape.key, shape.value],
    }.get(shape.type_name, list)()
    own = {shape.name} if shape.metadata.get("pattern") else set()
    return own.union(*map(shapes_with_patterns, members))


def test_every_maximum_of_the_model_is_enforced(shape: Any) -> None:
    """Build one value above each maximum of the model, and demand that it is found."""
    for place, value in too_large(shape):
        assert [excess.place for excess in excesses(value, shape)], place


def too_large(shape: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    maximum = shape.metadata.get("max")
    if maximum:
        yield place, oversized(shape, maximum)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from ((where, {name: value}) for where, value in too_large(member, f"{place}.{name}"))
    elif shape.type_name == "list":
        yield from ((where, [value]) for where, value in too_large(shape.member, f"{place}[]"))
    elif shape.type_name == "map":
        yield from ((where, {value: ""}) for where, value in too_large(shape.key, f"{place}.key"))
        yield from ((where, {"k": value}) for where, value in too_large(shape.value, f"{place}.value"))


def oversized(shape: Any, maximum: int) -> Any:
    if shape.type_name == "string":
        return "x" * (maximum + 1)
    if shape.type_name == "list":
        return [{} if shape.member.type_name == "structure" else "x"] * (maximum + 1)
    if shape.type_name == "map":
        return {str(number): "x" for number in range(maximum + 1)}
    return maximum + 1
