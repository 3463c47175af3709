"""Settings of the botocore client for many concurrent requests: cheap and resilient."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

# The connection pool must not limit the hook's concurrency; connections are opened on demand only.
POOL_CONNECTIONS = 256
# botocore's five attempts are over within seconds, before AWS's throttling ends.
REQUEST_ATTEMPTS = 8
_RETRY_VARIABLES = frozenset({"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"})


def tuned_config(config: Config) -> Config:
    """
    Add this provider's settings to the user's.

    :param config: the user's settings, which take precedence.
    :return: the settings of the client.
    """
    user: Any = config  # the stubs do not know Config's attributes
    # not "standard": there, all threads of a client share a retry quota, which an outage of seconds uses up
    retries: Any = {"mode": "legacy", "total_max_attempts": REQUEST_ATTEMPTS}
    tuning = Config(
        retries=retries if user.retries is None and not _RETRY_VARIABLES & os.environ.keys() else user.retries,
        max_pool_connections=max(user.max_pool_connections, POOL_CONNECTIONS),
        # otherwise botocore builds the same string again for each request
        user_agent=user.user_agent or _default_user_agent(),
    )
    return config.merge(tuning)


def protocol_of(client: Any) -> str:
    """
    Return the protocol that a client speaks.

    :param client: a boto3 client.
    :return: the protocol, such as ``json``.
    """
    model = client.meta.service_model
    return str(getattr(model, "resolved_protocol", model.metadata["protocol"]))  # botocore has the former from 1.39


@cache
def _default_user_agent() -> str:
    return botocore.session.Session().user_agent()
