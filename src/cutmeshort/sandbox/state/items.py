"""The JSON of one click, one event and one request, for exports and for the data file."""

from base64 import b64decode, b64encode
from contextlib import suppress
from datetime import datetime, timezone
from typing import Annotated, Any, Optional

from dateutil.parser import isoparse
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import Literal, NotRequired, Self, TypedDict

from ...operations import OPERATIONS
from .clicks import Click
from .exchanges import MAX_KEPT_BODY, Body, Exchange, Headers
from .faults import Fault, make_fault
from .refusal import Refusal
from .service import Recorded
from .tokens import header_bytes, shown_value

_OPERATIONS = {operation.name: operation for operation in OPERATIONS}


def _parse_time(value: Any) -> datetime:
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            time = isoparse(value)
            if time.tzinfo is not None:
                return time.astimezone(timezone.utc)
    raise ValueError("a time in ISO 8601 with a UTC offset is required")


def _format_time(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _to_pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_operation(name: str) -> str:
    if name not in _OPERATIONS:
        raise ValueError(f"must be one of {', '.join(_OPERATIONS)}")
    return name


def _check_header(value: str) -> str:
    try:
        header_bytes(value)
    except UnicodeEncodeError:
        raise ValueError("characters of a header must be in Latin-1") from None
    return value


Time = Annotated[datetime, BeforeValidator(_parse_time), PlainSerializer(_format_time)]
OperationName = Annotated[str, AfterValidator(_check_operation)]
Id = Annotated[str, Field(min_length=1, max_length=255)]
RequestId = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,255}$")]  # which is part of paths
Status = Annotated[int, Field(ge=100, le=599)]
Count = Annotated[int, Field(ge=0, lt=2**53)]  # which JavaScript and SQLite can add to
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Visible = Annotated[str, Field(pattern="^[!-~]+$")]
# It becomes an argument in the source of a copied test.
Forced = Annotated[str, Field(pattern='^(error_status=[345][0-9]{2}|response="[a-z_]+")$')]
HeaderValue = Annotated[str, AfterValidator(_check_header)]
HeaderList = list[Annotated[tuple[Visible, HeaderValue], BeforeValidator(_to_pair)]]


class Item(BaseModel):
    """A part of the JSON. Unknown fields and values of other types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class ClickItem(Item):
    """A click on a short link."""

    click: Id
    link: str
    time: Time

    @classmethod
    def of(cls, click: Click) -> Self:
        """Create the JSON of a click."""
        return cls.model_construct(click=click.click_id, link=click.link, time=click.time)

    def restore(self) -> Click:
        """Return the click."""
        return Click(self.click, self.link, self.time)


class EventItem(Item):
    """A recorded event. `event` is its payload as in a request, `click` what it is credited to."""

    operation: OperationName
    event: Annotated[Any, PlainSerializer(lambda payload: payload.to_dict())]
    click: Id
    time: Time
    request: Optional[str]

    @field_validator("event", mode="before")
    @classmethod
    def _check_event(cls, values: Any, info: ValidationInfo) -> Any:
        operation = _OPERATIONS.get(info.data.get("operation", ""))
        if operation is None:  # which is another error
            return values
        try:
            return operation.request_model.from_dict(values)
        except ValidationError as error:
            raise ValueError(describe(error)) from None

    @classmethod
    def of(cls, recorded: Recorded) -> Self:
        """Create the JSON of a recorded event."""
        return cls.model_construct(
            operation=recorded.operation.name,
            event=recorded.event,
            click=recorded.click_id,
            time=recorded.time,
            request=recorded.request_id,
        )

    def restore(self) -> Recorded:
        """Return the recorded event."""
        operation = _OPERATIONS[self.operation]
        return Recorded(operation, self.event, self.click, self.time, self.request)


class BodyItem(Item):
    """The first 16 KiB of a body, as text or, if they are not UTF-8, in Base64; and its size."""

    text: Optional[str] = None
    base64: Optional[str] = None
    size: Count

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("either text or base64 is required")
        if len(self._data()) != min(self.size, MAX_KEPT_BODY):
            raise ValueError("the size is not that of the content")
        return self

    def _data(self) -> bytes:
        if self.base64 is None:
            return str(self.text).encode()
        return b64decode(self.base64, validate=True)  # which raises a ValueError

    @classmethod
    def of(cls, body: Body) -> Self:
        """Create the JSON of a body."""
        try:
            return cls.model_construct(text=body.data.decode(), size=body.size)
        except UnicodeDecodeError:
            return cls.model_construct(base64=b64encode(body.data).decode(), size=body.size)

    def restore(self) -> Body:
        """Return the body."""
        return Body(self._data(), self.size)


class FaultItem(Item):
    """The fault that was injected into a request."""

    status: Optional[int]
    drop: bool
    latency: Seconds
    recorded: bool
    retry_after: Optional[int]

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.restore()  # which raises a ValueError
        return self

    @classmethod
    def of(cls, fault: Fault) -> Self:
        """Create the JSON of a fault."""
        return cls.model_construct(**{**vars(fault), "latency": float(fault.latency)})

    def restore(self) -> Fault:
        """Return the fault."""
        return make_fault(**dict(self))


class RefusalItem(Item):
    """Why a response is an error response."""

    status: Status
    type: str
    message: str
    details: Optional[list[dict[str, str]]]
    headers: Optional[dict[str, str]]

    @classmethod
    def of(cls, refusal: Refusal) -> Self:
        """Create the JSON of a refusal."""
        return cls.model_construct(**{name: getattr(refusal, name) for name in cls.model_fields})

    def restore(self) -> Refusal:
        """Return the refusal."""
        return Refusal(**dict(self))


class _Data(TypedDict):
    """The `data` of a response of the service."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    clickId: str
    duplicate: NotRequired[Literal[True]]
    deferredAssociationStored: NotRequired[Literal[True]]


class RequestItem(Item):
    """A request with its response; the fields are those of Exchange."""

    id: RequestId
    operation: OperationName
    method: Visible
    headers: HeaderList
    body: BodyItem
    arrived: Time
    ended: Optional[Time]
    seconds: Seconds
    status: Optional[Status]
    response_headers: HeaderList
    response_body: BodyItem
    type: str
    message: str
    refusal: Optional[RefusalItem]
    data: Optional[_Data]
    fault: Optional[FaultItem]
    forced: Optional[Forced]
    replay_of: Optional[str]

    @classmethod
    def of(cls, exchange: Exchange, *, include_token: bool = False) -> Self:
        """Create the JSON of an exchange; by default, the token is masked."""
        each: Any = vars(exchange)
        refusal, fault = exchange.refusal, exchange.fault
        return cls.model_construct(
            **{
                **{name: each[name] for name in cls.model_fields if name in each},
                "id": exchange.request_id,
                "operation": exchange.operation.name,
                "headers": _header_texts(exchange.headers, include_token),
                "body": BodyItem.of(exchange.body),
                "response_headers": _header_texts(exchange.response_headers, include_token),
                "response_body": BodyItem.of(exchange.response_body),
                "refusal": None if refusal is None else RefusalItem.of(refusal),
                "fault": None if fault is None else FaultItem.of(fault),
            }
        )

    def restore(self) -> Exchange:
        """Return the exchange."""
        values: dict[str, Any] = dict(self)
        for name in ("body", "response_body", "refusal", "fault"):
            values[name] = values[name] and values[name].restore()
        for name in ("headers", "response_headers"):
            values[name] = [(key.encode(), header_bytes(text)) for key, text in values[name]]
        values["operation"] = _OPERATIONS[self.operation]
        return Exchange(request_id=values.pop("id"), **values)


def describe(error: ValidationError) -> str:
    """Return the place and the message of the first error, in one line without values."""
    first = error.errors(include_url=False)[0]
    message = " ".join(first["msg"].removeprefix("Value error, ").split())
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {message}" if place else message


def _header_texts(headers: Headers, include_token: bool) -> HeaderList:
    return [
        (name.decode("latin-1"), shown_value(name, value, include_token)) for name, value in headers
    ]
