"""The hook, put together from its parts."""

from __future__ import annotations

from airflow_cwevents.hooks.events import EventsHook
from airflow_cwevents.hooks.target_checks import TargetChecksHook


class CloudWatchEventsHook(TargetChecksHook, EventsHook):
    """
    Declare rules and targets and send events with Amazon CloudWatch Events / EventBridge.

    A thick wrapper around :external+boto3:py:class:`boto3.client("events") <EventBridge.Client>`: it checks before it
    sends, retries what may pass, and tells of each failed entry and target.

    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's, or boto3's own.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param config: settings of the botocore client, see :class:`botocore.config.Config`.

    .. seealso:: :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook`
    """
