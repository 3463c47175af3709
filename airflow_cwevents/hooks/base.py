"""What all parts of the hook share: the boto3 client."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import botocore.session
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config
from botocore.exceptions import NoRegionError

from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.hooks.codec import speed_up_put_events
from airflow_cwevents.hooks.quotas import stop_at_quotas
from airflow_cwevents.hooks.send_options import MAX_CONCURRENCY

# botocore's own three are over within seconds, and a quota that was used up is not free again by then.
REQUEST_ATTEMPTS = 8
_RETRY_VARIABLES = frozenset({"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"})


class EventsClientHook(AwsBaseHook):
    """
    An :class:`~airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook` for the boto3 client ``events``.

    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's, or boto3's own.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param config: settings of the botocore client, see :class:`botocore.config.Config`.
    """

    def __init__(
        self,
        aws_conn_id: str | None = AwsBaseHook.default_conn_name,
        *,
        region_name: str | None = None,
        verify: bool | str | None = None,
        config: Config | dict[str, Any] | None = None,
    ) -> None:
        super().__init__(aws_conn_id, verify, region_name or None, client_type="events", config=config)
        self._clients: dict[str, Any] = {}

    @cached_property
    def conn(self) -> Any:
        """
        The boto3 client ``events``.

        :raises InvalidInputError: if neither parameter, connection nor environment name a region.
        """
        try:
            client = self.get_client_type(region_name=self.region_name, config=self.config.merge(self._tuning()))
        except NoRegionError:
            raise InvalidInputError(
                "region_name",
                "no AWS region is set",
                f"Give region_name, or set it in the extra of connection {self.aws_conn_id!r}, or AWS_DEFAULT_REGION",
            ) from None
        speed_up_put_events(client)
        stop_at_quotas(client)
        return client

    def client(self, service_name: str) -> Any:
        """
        Return a boto3 client of another service, with the same connection and region.

        :param service_name: the service's name in boto3, such as ``sqs``.
        """
        if service_name not in self._clients:
            hook = AwsBaseHook(
                self.aws_conn_id,
                self._verify,
                self.conn_region_name,
                client_type=service_name,
                config=self._config,
            )
            self._clients[service_name] = hook.conn
        return self._clients[service_name]

    def _tuning(self) -> Config:
        """Return settings that make many requests at once cheap; what the user set stays."""
        user: Any = self.config  # the stubs do not know Config's attributes
        retries: Any = {"mode": "standard", "total_max_attempts": REQUEST_ATTEMPTS}
        return Config(
            retries=retries if user.retries is None and not _RETRY_VARIABLES & os.environ.keys() else user.retries,
            # a pool is filled on demand only, and its size must not hold back the sender
            max_pool_connections=max(user.max_pool_connections, MAX_CONCURRENCY),
            # without it, botocore puts the same text together anew for every request
            user_agent=user.user_agent or botocore.session.Session().user_agent(),
        )
