"""The error of PutRule about a role that EventBridge cannot assume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from airflow_cwevents._aws.errors import code_of, message_of
from airflow_cwevents.exceptions import RoleNotAssumableError


def is_role_error(error: BaseException) -> bool:
    """Return whether AWS refused a role that EventBridge cannot assume; IAM takes seconds to propagate a new one."""
    return code_of(error) == "ValidationException" and "cannot be assumed by principal" in message_of(error)


@contextmanager
def role_errors(role_arn: str | None) -> Iterator[None]:
    """
    Translate AWS's error about a role that EventBridge cannot assume.

    :param role_arn: the role's ARN.
    :raises RoleNotAssumableError: if AWS refused the role.
    """
    try:
        yield
    except ClientError as error:
        if not is_role_error(error):
            raise
        raise RoleNotAssumableError(role_arn, message_of(error)) from None
