from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from airflow_cwevents._declare.encryption import encryption_findings
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.conftest import Logged, Stub
from tests.declare.resources import create_function, create_key, create_queue, create_role, create_topic

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
KEY = "arn:aws:kms:us-east-1:123456789012:key/k"
BOTH = ["kms:Decrypt", "kms:GenerateDataKey"]


def grant(actions: str | list[str] = BOTH, **members: Any) -> dict[str, Any]:
    principal = {"Service": "events.amazonaws.com"}
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*", **members}


def problems(hook: CloudWatchEventsHook, arn: str, **members: Any) -> list[str]:
    findings = list(encryption_findings(hook.client, {"Id": "t", "Arn": arn, **members}))
    assert {finding.severity for finding in findings} <= {"problem"}
    return [finding.text for finding in findings]


@pytest.fixture(params=["queue", "topic"])
def creator(request: pytest.FixtureRequest) -> Any:
    """Return a function that creates a resource that can be encrypted."""
    return {"queue": create_queue, "topic": create_topic}[request.param]


class TestKeys:
    def test_no_encryption(self, aws: None, hook: CloudWatchEventsHook, creator: Any) -> None:
        assert problems(hook, creator(hook)) == []

    @pytest.mark.parametrize("alias", ["alias/aws/sqs", "alias/aws/sns", "arn:aws:kms:us-east-1:1:alias/aws/sqs"])
    def test_key_of_the_service_cannot_be_used(
        self, aws: None, hook: CloudWatchEventsHook, creator: Any, stub: Stub, alias: str
    ) -> None:
        stub("kms")  # and no request: it is known without permission
        (problem,) = problems(hook, creator(hook, KmsMasterKeyId=alias))
        assert alias in problem

    def test_key_of_the_service_by_its_arn(
        self, aws: None, hook: CloudWatchEventsHook, creator: Any, stub: Stub
    ) -> None:
        key = {"KeyId": "k", "Arn": KEY, "KeyManager": "AWS"}
        stub("kms").add_response("describe_key", {"KeyMetadata": key}, {"KeyId": KEY})
        (problem,) = problems(hook, creator(hook, KmsMasterKeyId=KEY))
        assert KEY in problem

    def test_own_key_without_a_grant(self, aws: None, hook: CloudWatchEventsHook, creator: Any) -> None:
        key = create_key(hook)
        (problem,) = problems(hook, creator(hook, KmsMasterKeyId=key))
        assert key in problem
        assert [action in problem for action in BOTH] == [True, True]

    @pytest.mark.parametrize(
        "statement",
        [
            grant(),
            grant("kms:*"),
            grant(["kms:GenerateDataKey*", "kms:Decrypt"]),
            grant(Principal={"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}),
            grant(Principal="*"),
        ],
    )
    def test_own_key_with_a_grant(
        self, aws: None, hook: CloudWatchEventsHook, creator: Any, statement: dict[str, Any]
    ) -> None:
        assert problems(hook, creator(hook, KmsMasterKeyId=create_key(hook, statement))) == []

    @pytest.mark.parametrize("missing", BOTH)
    def test_half_a_grant(self, aws: None, hook: CloudWatchEventsHook, creator: Any, missing: str) -> None:
        (there,) = [action for action in BOTH if action != missing]
        (problem,) = problems(hook, creator(hook, KmsMasterKeyId=create_key(hook, grant(there))))
        assert missing in problem
        assert there not in problem

    @pytest.mark.parametrize(
        "condition",
        [
            {"StringEquals": {"aws:SourceAccount": "123456789012"}},
            {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:123456789012:rule/*"}},
        ],
    )
    def test_grant_with_a_condition_that_eventbridge_never_meets(
        self, aws: None, hook: CloudWatchEventsHook, creator: Any, condition: dict[str, Any]
    ) -> None:
        key = create_key(hook, grant(Condition=condition))
        assert len(problems(hook, creator(hook, KmsMasterKeyId=key))) == 1

    def test_grant_with_a_condition_that_only_aws_can_evaluate(
        self, aws: None, hook: CloudWatchEventsHook, creator: Any
    ) -> None:
        key = create_key(hook, grant(Condition={"StringLike": {"kms:EncryptionContext:aws:sqs:arn": "*"}}))
        assert problems(hook, creator(hook, KmsMasterKeyId=key)) == []

    @pytest.mark.parametrize("form", ["id", "alias"])
    def test_key_by_its_id_or_alias(self, aws: None, hook: CloudWatchEventsHook, form: str) -> None:
        key = create_key(hook)
        hook.client("kms").create_alias(AliasName="alias/mine", TargetKeyId=key)
        named = {"id": key.rsplit("/", 1)[-1], "alias": "alias/mine"}[form]
        (problem,) = problems(hook, create_queue(hook, KmsMasterKeyId=named))
        assert key in problem

    def test_missing_key(self, aws: None, hook: CloudWatchEventsHook) -> None:
        (problem,) = problems(hook, create_queue(hook, KmsMasterKeyId="alias/gone"))
        assert "alias/gone" in problem

    def test_no_permission_to_read_the_key(self, aws: None, hook: CloudWatchEventsHook, stub: Stub) -> None:
        stub("kms").add_client_error("describe_key", "AccessDeniedException", "no")
        with pytest.raises(ClientError):
            problems(hook, create_queue(hook, KmsMasterKeyId=KEY))


class TestTargets:
    def test_dead_letter_queue_counts(self, aws: None, hook: CloudWatchEventsHook) -> None:
        dead = create_queue(hook, "dead", KmsMasterKeyId="alias/aws/sqs")
        (problem,) = problems(hook, create_function(hook), DeadLetterConfig={"Arn": dead})
        assert "dead-letter queue" in problem

    def test_with_a_role_it_depends_on_the_role(self, aws: None, hook: CloudWatchEventsHook, creator: Any) -> None:
        arn, role = creator(hook, KmsMasterKeyId="alias/aws/sqs"), create_role(hook)
        dead = create_queue(hook, "dead", KmsMasterKeyId="alias/aws/sqs")
        target = {"Id": "t", "Arn": arn, "RoleArn": role, "DeadLetterConfig": {"Arn": dead}}
        own, other = encryption_findings(hook.client, target)
        assert [own.severity, other.severity] == ["unknown", "problem"]
        assert "unless the role" in own.text
        assert "dead-letter queue" in other.text

    def test_missing_queue_has_no_key(self, aws: None, hook: CloudWatchEventsHook) -> None:
        assert problems(hook, QUEUE) == []

    @pytest.mark.parametrize(
        "arn",
        [
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "arn:aws:logs:us-east-1:123456789012:log-group:g",
            "arn:aws:kinesis:us-east-1:123456789012:stream/s",
        ],
    )
    def test_other_kinds_are_not_checked(self, hook: CloudWatchEventsHook, stub: Stub, arn: str) -> None:
        for service in ("kms", "lambda", "logs", "kinesis"):
            stub(service)  # and no request
        assert problems(hook, arn) == []


class TestWarning:
    """PutTargets warns, and goes on whatever the check finds."""

    @pytest.fixture(autouse=True)
    def _rule(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.put_rule("r", event_pattern={"source": ["com.company.app"]})

    @staticmethod
    def put(hook: CloudWatchEventsHook, arn: str) -> None:
        hook.put_targets("r", [{"Id": "t", "Arn": arn}])
        assert [target["Id"] for target in hook.list_targets("r")] == ["t"]

    def test_key_without_a_grant(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        key = create_key(hook)
        self.put(hook, create_queue(hook, KmsMasterKeyId=key))
        _, problem, fix = logged("WARNING")
        assert [record.args[0] for record in (problem, fix) if isinstance(record.args, tuple)] == ["t", "t"]
        assert key in problem.getMessage()
        assert "fix" in fix.getMessage()

    def test_key_with_a_grant(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        self.put(hook, create_queue(hook, KmsMasterKeyId=create_key(hook, grant())))
        assert not [record for record in logged("WARNING") if "KMS" in record.getMessage()]

    def test_no_permission_to_read_the_key(self, hook: CloudWatchEventsHook, stub: Stub, logged: Logged) -> None:
        arn = create_queue(hook, KmsMasterKeyId=KEY)
        stub("kms").add_client_error("describe_key", "AccessDeniedException", "no")
        self.put(hook, arn)
        assert logged("WARNING")[-1].args == ("t", "kms:DescribeKey failed: no")

    def test_no_permission_to_read_the_queue(self, hook: CloudWatchEventsHook, stub: Stub, logged: Logged) -> None:
        for _ in range(2):  # its policy, and its encryption
            stub("sqs").add_client_error("get_queue_url", "AccessDenied", "no")
        self.put(hook, QUEUE)
        (warning,) = logged("WARNING")
        assert warning.args == ("t", "sqs:GetQueueUrl failed: no")

    def test_unreachable_service(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        def fail(**_: Any) -> None:
            raise ConnectTimeoutError(endpoint_url="https://sqs.us-east-1.amazonaws.com")

        hook.client("sqs").meta.events.register("before-call.sqs.*", fail)  # later ones are tried again
        self.put(hook, QUEUE)
        (warning,) = logged("WARNING")
        assert "sqs.us-east-1.amazonaws.com" in warning.getMessage()

    def test_role_of_a_queue_or_topic_is_fine(self, hook: CloudWatchEventsHook, creator: Any, logged: Logged) -> None:
        hook.put_targets("r", [{"Id": "t", "Arn": creator(hook), "RoleArn": create_role(hook)}])
        assert logged("WARNING") == []
