"""QueuedEvent: an event that waits for delivery, as it is stored or sent through a queue."""

import json
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from hashlib import blake2b

from pydantic import TypeAdapter, ValidationError
from typing_extensions import Self

from ..exceptions import ApiValueError
from ..models import EventPayload, ExternalId
from ..operations import NOT_A_PAYLOAD, OPERATIONS, find_operation

_HASH_SIZE = 16  # bytes


@dataclass(frozen=True)
class QueuedEvent:
    """
    An event that waits for delivery.

    Attributes:
        operation: The name of its operation: `track_lead` or `track_sale`.
        body: The payload as JSON, with the wire names. It contains customer data.
        created_at: When the event was queued, in seconds since the epoch.
        key: A hash of the fields by which the service deduplicates events, in hexadecimal.
        customer: A hash of the customer's id, in hexadecimal.
    """

    operation: str
    body: str
    created_at: float
    key: str
    customer: str

    @classmethod
    def create(cls, payload: EventPayload) -> Self:
        """
        Create an event from a payload. If the payload has no timestamp, it gets the current time.

        Raises:
            ApiValueError: The payload is not that of an operation.
        """
        operation = find_operation(payload)
        if operation is None:
            raise ApiValueError(NOT_A_PAYLOAD, "payload")
        now = time.time()
        if payload.timestamp is None:
            stamp = datetime.fromtimestamp(now, timezone.utc)
            payload = payload.model_copy(update={"timestamp": stamp})
        return cls(
            operation=operation.name,
            body=payload.to_json(),
            created_at=now,
            key=_hash(operation.name, *operation.key_of(payload)),
            customer=customer_hash(payload.customer_external_id),
        )

    def payload(self) -> EventPayload:
        """
        Return the payload.

        Raises:
            ApiValueError: The event is not valid in this version of the SDK. The message contains
                no event data.
        """
        for operation in OPERATIONS:
            if operation.name == self.operation:
                try:
                    return operation.request_model.from_json(self.body)
                except ValidationError:
                    break
        raise ApiValueError("the event is not valid in this version of the SDK", "body")

    def to_json(self) -> str:
        """Return the event as a message for a queue. It contains customer data."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        Create an event from a message of `to_json`.

        Raises:
            ApiValueError: The text is not such a message. The error contains no event data.
        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError:
            raise ApiValueError("the message is not a queued event", "text") from None

    def __repr__(self) -> str:
        """Show no event data."""
        return f"QueuedEvent({self.operation})"


def customer_hash(customer_external_id: ExternalId) -> str:
    """Return the hash of a customer's id."""
    return _hash(str(customer_external_id))


def _hash(*values: object) -> str:
    return blake2b(json.dumps(values).encode(), digest_size=_HASH_SIZE).hexdigest()
