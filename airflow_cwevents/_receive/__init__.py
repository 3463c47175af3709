"""Receive events from event queues."""
