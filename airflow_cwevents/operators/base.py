"""The base of all operators: the AWS parameters, the hook, and the console links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cwevents._airflow.compat import BaseOperator, store_links
from airflow_cwevents._airflow.failures import permanent_errors_fail
from airflow_cwevents._airflow.parameters import is_literal
from airflow_cwevents._aws.arns import DEFAULT_EVENT_BUS, bus_name_of, check_event_bus_name
from airflow_cwevents._declare.checks import check_name
from airflow_cwevents.links import EventBusLink
from airflow_cwevents.links.console import ConsolePlace, has_console

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink

    from airflow_cwevents.hooks import CloudWatchEventsHook


class CloudWatchEventsBaseOperator(BaseOperator):
    """
    Base of the operators of this provider. boto3 is imported only when a task runs.

    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's or boto3's default.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param botocore_config: settings of the botocore client; see
        https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
    """

    template_fields: Sequence[str] = ("aws_conn_id", "region_name", "verify", "botocore_config")
    template_fields_renderers: ClassVar[dict[str, str]] = {"botocore_config": "json"}
    operator_extra_links: Collection[BaseOperatorLink] = (EventBusLink(),)
    console_place: ConsolePlace | None = None

    def __init__(
        self,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def is_literal(self, value: object) -> bool:
        """Return whether an argument has no template; False if the DAG uses its own template delimiters."""
        dag = self.get_dag()
        return not getattr(dag, "jinja_environment_kwargs", None) and is_literal(value)

    def validate_names(self, event_bus_name: str | None, **rules: str) -> None:
        """
        Validate names without templates, so that mistakes are reported when the DAG file is parsed.

        :param event_bus_name: name or ARN of the bus; None for the default bus.
        :param rules: the names of rules, by parameter.
        :raises AirflowFailException: if AWS would reject one.
        """
        with permanent_errors_fail():
            if self.is_literal(event_bus_name):
                check_event_bus_name(event_bus_name)
            for place, rule in rules.items():
                if self.is_literal(rule):
                    check_name(rule, place)

    @cached_property
    def hook(self) -> CloudWatchEventsHook:
        """The hook of this task."""
        from airflow_cwevents.hooks import CloudWatchEventsHook

        return CloudWatchEventsHook(
            self.aws_conn_id, region_name=self.region_name or None, verify=self.verify, config=self.botocore_config
        )

    def show_in_console(self, event_bus_name: str | None, rule: str | None = None) -> None:
        """
        Set the target of this task's console links; no links if the endpoint is not AWS's.

        :param event_bus_name: name or ARN of the bus; None for the default bus.
        :param rule: the rule's name, if the task concerns one.
        """
        if not has_console(self.hook.conn.meta.endpoint_url):
            return
        self.console_place = ConsolePlace(
            partition=self.hook.conn_partition,
            region_name=self.hook.conn_region_name,
            event_bus_name=bus_name_of(event_bus_name or DEFAULT_EVENT_BUS),
            rule=rule,
        )
        store_links(self)
