"""Declare: rules, targets and their permissions exist as the DAG says."""
