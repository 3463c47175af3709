"""Operators: thin, parameters in, one call of the hook, result out; and placeholders for the templates of targets."""

from airflow_cwevents._declare.input_templates import Placeholder
from airflow_cwevents.operators.dispatch import DispatchEventsOperator
from airflow_cwevents.operators.event_queues import CreateEventQueueOperator, DeleteEventQueueOperator
from airflow_cwevents.operators.events import PutEventsOperator
from airflow_cwevents.operators.rules import (
    DeleteRuleOperator,
    DisableRuleOperator,
    EnableRuleOperator,
    PutRuleOperator,
)
from airflow_cwevents.operators.targets import CheckTargetsOperator, PutTargetsOperator, RemoveTargetsOperator

__all__ = [
    "CheckTargetsOperator",
    "CreateEventQueueOperator",
    "DeleteEventQueueOperator",
    "DeleteRuleOperator",
    "DisableRuleOperator",
    "DispatchEventsOperator",
    "EnableRuleOperator",
    "Placeholder",
    "PutEventsOperator",
    "PutRuleOperator",
    "PutTargetsOperator",
    "RemoveTargetsOperator",
]
