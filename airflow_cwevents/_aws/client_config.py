"""Settings of the botocore client that make many requests at once cheap and resilient."""

from __future__ import annotations

import os
from typing import Any

import botocore.session
from botocore.config import Config

# The hook's concurrency must not be held back by the connection pool, which is filled on demand only.
POOL_CONNECTIONS = 256
# botocore's own five are over within seconds, and a quota of AWS's that was used up is not free again by then.
REQUEST_ATTEMPTS = 8
_RETRY_VARIABLES = frozenset({"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"})


def tuned_config(config: Config) -> Config:
    """
    Add settings that suit this provider.

    :param config: the user's settings, which take precedence.
    :return: the settings of the client.
    """
    user: Any = config  # the stubs do not know Config's attributes
    # not "standard", where all threads of a client share a quota of retries: an outage of seconds uses it up
    retries: Any = {"mode": "legacy", "total_max_attempts": REQUEST_ATTEMPTS}
    tuning = Config(
        retries=retries if user.retries is None and not _RETRY_VARIABLES & os.environ.keys() else user.retries,
        max_pool_connections=max(user.max_pool_connections, POOL_CONNECTIONS),
        # without it, botocore assembles the same string again for every request
        user_agent=user.user_agent or botocore.session.Session().user_agent(),
    )
    return config.merge(tuning)
