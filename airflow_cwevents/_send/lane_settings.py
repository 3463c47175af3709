"""Whether requests of a boto3 client can be sent without botocore, and what they look like then."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import botocore.client
import botocore.httpsession
from botocore.exceptions import BotoCoreError

from airflow_cwevents._aws.client_config import protocol_of

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

# The first libcurl that was tried: older ones sign some headers differently.
MIN_LIBCURL = (8, 12, 0)
# libcurl waits with select(), which takes no file descriptors from 1,024.
MAX_OPEN_FILES = 512
# The slowest connection that is waited for.
MIN_BYTES_PER_SECOND = 1_000
_PLAIN_URL = re.compile(r"https?://[\w.:\[\]-]+/[\w.~/-]*", re.ASCII)
_SIGNATURE = "AWS4-HMAC-SHA256 Credential="
# What differs from request to request, or what libcurl writes itself.
_OWN_HEADERS = frozenset(
    {
        "amz-sdk-invocation-id",
        "authorization",
        "content-length",
        "user-agent",
        "x-amz-date",
        "x-amz-security-token",
    }
)
_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "needs-retry",
    "before-parse",
    "after-call",
    "after-call-error",
)
# Whose handlers are known: they do nothing to PutEvents that is not in the captured request as well.
_KNOWN_HANDLERS = ("airflow_cwevents.", "botocore.", "boto3.")
_INTERCEPTORS = frozenset({"botocore.stub"})


class UnsuitableClientError(Exception):
    """The requests of a client have to be sent by botocore."""


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """
    What botocore would send a PutEvents request to, with and through.

    :ivar headers: the headers that are the same in each request, as ``Name: value``.
    :ivar ca_bundle: the path of the certificates to verify the server with; None to verify nothing.
    :ivar proxy: the URL of the proxy; an empty string for none.
    :ivar proxy_ca_bundle: the path of the certificates to verify the proxy with; None to verify nothing.
    :ivar connect_timeout: the maximum time until a connection is made, in seconds.
    :ivar read_timeout: the maximum time in which nothing is sent or received, in seconds.
    """

    url: str
    headers: tuple[str, ...]
    user_agent: str
    region_name: str
    signing_name: str
    ca_bundle: str | None
    proxy: str
    proxy_ca_bundle: str | None
    connect_timeout: float
    read_timeout: float
    tcp_keepalive: bool
    credentials: Any

    def max_seconds(self, size: int) -> float:
        """
        Return how long a request may take.

        :param size: the size of its body, in bytes.
        :return: seconds. Timeouts of botocore's end when nothing is sent or received, libcurl's whatever is.
        """
        return self.connect_timeout + self.read_timeout + size / MIN_BYTES_PER_SECOND


def lane_settings(client: Any) -> LaneSettings:
    """
    Read off a client how it sends PutEvents.

    :param client: a boto3 client ``events``.
    :return: the settings.
    :raises UnsuitableClientError: if its requests have to be sent by botocore.
    """
    if reason := unsuitable(client):
        raise UnsuitableClientError(reason)
    request = _captured_request(client)
    if not _PLAIN_URL.fullmatch(request.url):  # it would have to be quoted, and then signed as botocore does
        raise UnsuitableClientError(f"the endpoint {request.url} has unusual characters")
    region_name, signing_name = _credential_scope(_text(request.headers.get("Authorization") or ""))
    session = client._endpoint.http_session
    ca_bundle = botocore.httpsession.get_cert_path(session._verify) if session._verify else None
    return LaneSettings(
        url=request.url,
        headers=tuple(
            f"{name}: {_text(value)}" for name, value in request.headers.items() if name.lower() not in _OWN_HEADERS
        ),
        user_agent=_text(request.headers["User-Agent"]),
        region_name=region_name,
        signing_name=signing_name,
        ca_bundle=ca_bundle,
        proxy=session._proxy_config.proxy_url_for(request.url) or "",
        proxy_ca_bundle=session._proxy_config.settings.get("proxy_ca_bundle") or ca_bundle,
        connect_timeout=float(client.meta.config.connect_timeout),
        read_timeout=float(client.meta.config.read_timeout),
        tcp_keepalive=bool(getattr(client.meta.config, "tcp_keepalive", False)),
        credentials=client._request_signer._credentials,
    )


def unsuitable(client: Any) -> str | None:
    """
    Look for something about a client that only botocore does.

    :param client: a boto3 client ``events``.
    :return: why its requests have to be sent by botocore; None if they need not.
    """
    try:
        reasons = (_missing_library(), _changed_client(client), _special_connection(client), foreign_handler(client))
    except AttributeError as error:  # another version of botocore has other attributes
        return f"this version of botocore is not known: {error}"
    return next((reason for reason in reasons if reason), None)


def foreign_handler(client: Any) -> str | None:
    """
    Look for handlers of the client's events that neither botocore nor we have registered.

    :param client: a boto3 client ``events``.
    :return: which one there is; None if there is none.
    """
    for event in _EVENTS:
        for handler in client.meta.events._emitter._handlers.prefix_search(f"{event}.eventbridge.PutEvents"):
            module = getattr(handler, "__module__", None) or type(handler).__module__
            if getattr(handler, "enabled", None) is False:  # moto's, outside of a mock
                continue
            known = module.startswith(_KNOWN_HANDLERS) and module not in _INTERCEPTORS
            # botocore's own handlers of before-send hold requests back: retry mode "adaptive"
            if not known or (event == "before-send" and module.startswith("botocore.")):
                return f"a handler of {module} is registered for {event}"
    return None


def _missing_library() -> str | None:
    try:
        import pycurl
    except ImportError as error:
        return f"pycurl cannot be imported: {error}"
    version = pycurl.version_info()[1]
    if not hasattr(pycurl, "AWS_SIGV4") or _numbers(version) < MIN_LIBCURL:
        return f"libcurl {version} is older than {'.'.join(map(str, MIN_LIBCURL))}"
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return "too many files are open" if descriptor > MAX_OPEN_FILES else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("-")[0].split("."))


def _changed_client(client: Any) -> str | None:
    """Return what stands in for a part of botocore: tracing packages and tests replace these."""
    call = botocore.client.BaseClient.__dict__["_make_api_call"]
    if type(call) is not FunctionType or call.__module__ != "botocore.client" or "_make_api_call" in vars(client):
        return "botocore's _make_api_call is wrapped"
    if "put_events" in vars(client):
        return "the client's put_events is replaced"
    if type(client._endpoint.http_session) is not botocore.httpsession.URLLib3Session:
        return "the client has an HTTP session of its own"
    if protocol_of(client) != "json":
        return f"the protocol is {protocol_of(client)}"
    return None


def _special_connection(client: Any) -> str | None:
    session = client._endpoint.http_session
    proxies = session._proxy_config
    if session._cert_file:
        return "a client certificate is set"
    if isinstance(session._verify, str) and not os.path.isfile(session._verify):
        return f"the CA bundle {session._verify} is not a file"
    if proxies.settings.get("proxy_client_cert") or proxies.settings.get("proxy_use_forwarding_for_https"):
        return "a proxy with a client certificate, or one that forwards HTTPS, is set"
    return None


class _CapturedError(Exception):
    """A request is complete, and was not sent."""


def _captured_request(client: Any) -> AWSPreparedRequest:
    """Let botocore make a request, resolve its endpoint and sign it, without sending it."""
    captured: list[AWSPreparedRequest] = []
    thread = threading.get_ident()

    def capture(request: AWSPreparedRequest, **_: Any) -> None:
        if threading.get_ident() == thread:  # another thread may be sending with the same client
            captured.append(request)
            raise _CapturedError

    event = "before-send.eventbridge.PutEvents"
    client.meta.events.register_last(event, capture)
    try:
        client.put_events(Entries=[{}])
    except _CapturedError:
        return captured[0]
    except BotoCoreError as error:  # such as missing credentials: botocore reports them when it sends
        raise UnsuitableClientError(str(error)) from error
    finally:
        client.meta.events.unregister(event, capture)
    raise UnsuitableClientError("botocore sent nothing")


def _credential_scope(authorization: str) -> tuple[str, str]:
    if not authorization.startswith(_SIGNATURE):
        raise UnsuitableClientError("requests are not signed with SigV4")
    # <access key>/<date>/<region>/<service>/aws4_request
    _, _, region_name, signing_name, _ = authorization.removeprefix(_SIGNATURE).split(",")[0].rsplit("/", 4)
    return region_name, signing_name


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
