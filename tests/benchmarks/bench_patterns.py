"""
How many events a second EventPattern matches, beside moto's matcher in the same process.

Run it as ``python tests/benchmarks/bench_patterns.py``. Rounds alternate between the two, and the ratio is the one to
quote: machines are noisy.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from moto.events.models import EventPattern as MotoEventPattern

from airflow_cwevents.patterns import EventPattern

ROUNDS = 15
SECONDS_PER_ROUND = 0.1

ENVELOPE = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "account": "111122223333",
    "time": "2026-11-02T18:43:48Z",
    "region": "us-east-1",
}
STATE_CHANGE = {
    **ENVELOPE,
    "source": "aws.ec2",
    "detail-type": "EC2 Instance State-change Notification",
    "resources": ["arn:aws:ec2:us-east-1:111122223333:instance/i-1234567890abcdef0"],
    "detail": {"instance-id": "i-1234567890abcdef0", "state": "running"},
}
API_CALL = {
    **ENVELOPE,
    "source": "aws.s3",
    "detail-type": "AWS API Call via CloudTrail",
    "resources": [],
    "detail": {
        "eventVersion": "1.09",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/etl/run", "mfa": False},
        "eventTime": "2026-11-02T18:43:48Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "sourceIPAddress": "10.24.3.17",
        "userAgent": "[aws-sdk-python/1.44]",
        "requestParameters": {"bucketName": "lake-raw", "key": "sales/2026/11/02/part-00017.parquet", "acl": None},
        "responseElements": None,
        "additionalEventData": {"bytesTransferredIn": 48211, "bytesTransferredOut": 0, "CipherSuite": "TLS_AES_128"},
        "readOnly": False,
    },
}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "three exact fields, match": (
        {
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Instance State-change Notification"],
            "detail": {"state": ["running", "stopped", "terminated"]},
        },
        STATE_CHANGE,
    ),
    "other source, no match": ({"source": ["aws.s3"], "detail": {"eventName": ["PutObject"]}}, STATE_CHANGE),
    "six operators, match": (
        {
            "source": [{"prefix": "aws."}],
            "detail": {
                "eventName": [{"anything-but": ["GetObject", "HeadObject"]}],
                "sourceIPAddress": [{"cidr": "10.0.0.0/8"}],
                "requestParameters": {"key": [{"wildcard": "sales/*/part-*.parquet"}]},
                "additionalEventData": {"bytesTransferredIn": [{"numeric": [">", 0, "<=", 1000000]}]},
                "errorCode": [{"exists": False}],
            },
        },
        API_CALL,
    ),
    "$or of three, last matches": (
        {
            "source": ["aws.s3"],
            "detail": {
                "$or": [
                    {"eventName": ["DeleteObject"]},
                    {"userIdentity": {"type": ["Root"]}},
                    {"requestParameters": {"bucketName": [{"suffix": "-raw"}]}},
                ]
            },
        },
        API_CALL,
    ),
}


def matches_per_second(matches: Callable[[Any], bool], event: Any) -> float:
    done, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < SECONDS_PER_ROUND:
        for _ in range(100):
            matches(event)
        done += 100
    return done / passed


def compare(pattern: dict[str, Any], event: Any) -> tuple[float, float, float]:
    ours = EventPattern(pattern).matches
    motos = MotoEventPattern.load(json.dumps(pattern)).matches_event
    if ours(event) != motos(event):
        raise RuntimeError("The two do not agree, so their speed does not compare")
    rounds = [(matches_per_second(ours, event), matches_per_second(motos, event)) for _ in range(ROUNDS)]
    return (
        statistics.median(our for our, _ in rounds),
        statistics.median(moto for _, moto in rounds),
        statistics.median(our / moto for our, moto in rounds),
    )


def main() -> None:
    sys.stdout.write(f"{'matches per second, median':<30}{'EventPattern':>14}{'moto':>10}{'ratio':>8}\n")
    for name, (pattern, event) in CASES.items():
        ours, motos, ratio = compare(pattern, event)
        sys.stdout.write(f"{name:<30}{ours:>14,.0f}{motos:>10,.0f}{ratio:>8.1f}\n")


if __name__ == "__main__":
    main()
