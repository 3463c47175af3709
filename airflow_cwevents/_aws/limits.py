"""
Limits and error codes of the ``events`` API, each beside the AWS page it comes from.

They are set by AWS: where AWS raises one, change it here. Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

from typing import Final

# PutEvents: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
MAX_ENTRIES_PER_REQUEST: Final = 10
# "less than 1 MB" a request: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
MAX_REQUEST_BYTES: Final = 1_048_575
# The size that Time adds to an entry, same page.
ENTRY_TIME_BYTES: Final = 14
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
MAX_TRACE_HEADER_LENGTH: Final = 500
# Entries with a longer one are accepted, and then dropped: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events.html
MAX_DETAIL_TYPE_LENGTH: Final = 128
ENTRY_MEMBERS: Final = frozenset({"Time", "Source", "Resources", "DetailType", "Detail", "EventBusName", "TraceHeader"})
# Entry errors: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
RETRYABLE_ENTRY_CODES: Final = frozenset({"InternalException", "InternalFailure", "ThrottlingException"})
THROTTLING_CODES: Final = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException"})
# Errors of a whole request that another attempt can fix: credentials that a new process reads again, and high load.
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html
TRANSIENT_REQUEST_CODES: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalFailure",
        "KmsThrottled",  # this, OverLimit and RequestThrottled are SQS's
        "OverLimit",
        "RequestExpired",
        "RequestThrottled",
        "RequestTimeout",
        "ServiceUnavailable",
    }
)

# PutRule: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
NAME_PATTERN: Final = r"[.\-_A-Za-z0-9]{1,64}"
MAX_DESCRIPTION_LENGTH: Final = 512
MAX_SCHEDULE_EXPRESSION_LENGTH: Final = 256
MAX_ROLE_ARN_LENGTH: Final = 1600
RULE_STATES: Final = ("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
MAX_EVENT_PATTERN_LENGTH: Final = 4096
# The default quota, adjustable: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
DEFAULT_EVENT_PATTERN_LENGTH: Final = 2048
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
MAX_TARGETS_PER_RULE: Final = 5

# PutTargets: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
MAX_TARGETS_PER_REQUEST: Final = 10
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
TARGET_MEMBERS: Final = frozenset(
    {
        "Id",
        "Arn",
        "RoleArn",
        "Input",
        "InputPath",
        "InputTransformer",
        "KinesisParameters",
        "RunCommandParameters",
        "EcsParameters",
        "BatchParameters",
        "SqsParameters",
        "HttpParameters",
        "RedshiftDataParameters",
        "SageMakerPipelineParameters",
        "AppSyncParameters",
        "DeadLetterConfig",
        "RetryPolicy",
    }
)
MAX_INPUT_LENGTH: Final = 8192
MAX_INPUT_PATH_LENGTH: Final = 256
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html
MAX_INPUT_PATHS: Final = 100
MAX_INPUT_TEMPLATE_LENGTH: Final = 8192
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
RETRY_ATTEMPTS_RANGE: Final = (0, 185)
EVENT_AGE_SECONDS_RANGE: Final = (60, 86_400)
# A quota that is used up: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
QUOTA_CODE: Final = "LimitExceededException"
# Failed targets: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargetsResultEntry.html
RETRYABLE_TARGET_CODES: Final = frozenset(
    {"ConcurrentModificationException", "InternalException", "InternalFailure", "ThrottlingException"}
)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
MAX_MESSAGES_PER_REQUEST: Final = 10
MAX_WAIT_SECONDS: Final = 20
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_VISIBILITY_SECONDS: Final = 43_200
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
MESSAGE_RETENTION_RANGE: Final = (60, 1_209_600)
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue.html
RECEIVE_COUNT_RANGE: Final = (1, 1000)
# Alphanumeric characters and punctuation:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagegroupid-property.html
MESSAGE_GROUP_ID_PATTERN: Final = r"[!-~]{1,128}"
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html
MAX_TAG_VALUE_LENGTH: Final = 256
