"""The base of the triggers to which tasks defer: the queue, and the AWS parameters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger

if TYPE_CHECKING:
    from airflow_cwevents._receive.queue import MessageQueue

# Airflow's scheduler may fail a task that resumes within seconds after it deferred, as it then takes the end of the
# deferring process for the end of the resumed one: https://github.com/apache/airflow/issues/72716
MIN_DEFERRED_SECONDS = 10.0
_AWS_PARAMETERS = ("aws_conn_id", "region_name", "verify", "botocore_config")


class QueueTrigger(BaseTrigger):
    """
    Base of the triggers that wait for messages of a queue.

    :param queue_url: the queue's URL.
    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's or boto3's default.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param botocore_config: settings of the botocore client.
    """

    #: The parameters that a subclass adds, whose values are attributes of the same names.
    own_parameters: ClassVar[tuple[str, ...]] = ()
    #: Waits, in seconds.
    sleep: Callable[[float], Awaitable[None]] = staticmethod(asyncio.sleep)

    def __init__(
        self,
        queue_url: str,
        aws_conn_id: str | None,
        region_name: str | None,
        verify: bool | str | None,
        botocore_config: dict[str, Any] | None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.queue_url = queue_url
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, for Airflow's database."""
        names = ("queue_url", *self.own_parameters, *_AWS_PARAMETERS)
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    def _queue(self) -> MessageQueue:
        from airflow_cwevents.hooks import CloudWatchEventsHook

        hook = CloudWatchEventsHook(
            self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )
        return hook.message_queue(self.queue_url)
