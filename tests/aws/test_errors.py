from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)

from airflow_cwevents._aws.errors import error_message, is_transient


def client_error(message: str, code: str = "ValidationException", status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutEvents")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="https://events"), True),
        (ConnectTimeoutError(endpoint_url="https://events"), True),
        (ReadTimeoutError(endpoint_url="https://events"), True),
        (SSLError(endpoint_url="https://events", error=OSError("no")), True),
        (NoCredentialsError(), True),
        (CredentialRetrievalError(provider="iam-role", error_msg="no"), True),
        (client_error("", "ThrottlingException"), True),
        (client_error("", "ExpiredTokenException"), True),
        (client_error("", "Whatever", 503), True),
        (client_error("", "AccessDeniedException"), False),
        (ParamValidationError(report="no"), False),
        (ValueError("no"), False),
    ],
)
def test_transient_errors(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected


def test_quoted_values_are_omitted() -> None:
    text = (
        "1 validation error detected: Value '[PutEventsRequestEntry(detail={\"card\": \"4111'\"})]' at 'entries' failed"
    )
    assert error_message(client_error(text)) == "1 validation error detected: The value at 'entries' failed"


def test_long_messages_are_shortened() -> None:
    message = error_message(client_error("x" * 10_000))
    assert len(message) == 300
    assert message.endswith("x…")
