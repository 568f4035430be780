"""The JSON of the endpoints, for the description of the API; the views create it."""

from typing import Annotated, Optional, Union

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import Literal

from ..state.exchanges import Outcome

Time = Annotated[
    str, Field(description="ISO 8601, UTC, milliseconds", examples=["2026-11-26T12:04:11.123Z"])
]
Amount = Annotated[int, Field(description="In the minor unit of the currency", examples=[4990])]
Exponent = Annotated[
    Optional[int],
    Field(description="Decimal places of the currency; null if it has no minor unit", examples=[2]),
]


class _Schema(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class ErrorMessage(_Schema):
    """An error."""

    error: str = Field(description="One line for humans.")


class Health(_Schema):
    """The sandbox listens."""

    status: Literal["ok"]


class Fault(_Schema):
    """A fault for some of the next requests."""

    id: Optional[int] = Field(description="Null for an outage, which is not removed by its id.")
    times: Optional[int] = Field(
        description="The number of requests that are left; null for an outage."
    )
    label: str = Field(examples=["429, retry after 30 s"])
    status: Optional[int]
    drop: bool
    latency: float
    recorded: bool
    retry_after: Optional[int]


class Faults(_Schema):
    """The pending faults, oldest first."""

    faults: list[Fault]


class Settings(_Schema):
    """The settings."""

    duplicate_status: int
    response: str
    rate_limit: Optional[int]
    error_status: Optional[int]
    error_response: str


class RequestTotals(_Schema):
    """Requests by outcome."""

    total: int
    recorded: int
    pending: int = Field(description="Deferred leads.")
    duplicate: int
    refused: int
    failed: int = Field(description="Failed on purpose, or closed by the client.")


class RateLimitTotals(_Schema):
    """The use of the rate limit."""

    limit: Optional[int] = Field(description="Requests per minute; null for no limit.")
    used: int = Field(description="Requests of the last minute.")


class Totals(_Schema):
    """Numbers of clicks, customers and requests."""

    clicks: int
    leads: int = Field(description="Clicks with a lead.")
    sales: int = Field(description="Clicks with a sale.")
    sales_after_lead: int = Field(description="Clicks with a lead and a sale.")
    customers: int
    requests: RequestTotals
    rate_limit: RateLimitTotals


class CustomerRevenue(_Schema):
    """The revenue in one currency."""

    currency: str
    amount: Amount
    exponent: Exponent


class Revenue(CustomerRevenue):
    """The revenue of all customers in one currency."""

    sales: int
    steps: list[int] = Field(description="The revenue after each sale, at most 50 points.")


class ClickStep(_Schema):
    """A click to which the later events are credited."""

    type: Literal["click"]
    click: str
    link: Optional[str] = Field(description="The short link; null if it is not the sandbox's.")
    time: Optional[Time]


class LeadStep(_Schema):
    """A lead."""

    type: Literal["lead", "deferred"]
    event: str
    click: str
    sent_click: bool = Field(description="Whether the request sent a click id.")
    time: Time
    request: Optional[str]


class SaleStep(_Schema):
    """A sale."""

    type: Literal["sale"]
    event: str
    invoice: str
    amount: Amount
    currency: str
    exponent: Exponent
    click: str
    sent_click: bool = Field(description="Whether the request sent a click id.")
    time: Time
    request: Optional[str]


class AwaitedStep(_Schema):
    """The event that is awaited after a deferred lead."""

    type: Literal["awaited"]


class Chain(_Schema):
    """The clicks and events of a customer, oldest first."""

    customer: str
    deferred: bool = Field(description="Whether the customer has a deferred lead.")
    waiting: bool = Field(description="Whether no event came after the deferred lead.")
    revenue: list[CustomerRevenue]
    last_activity: Time
    earlier: int = Field(description="Number of earlier steps that are left out.")
    steps: list[
        Annotated[Union[ClickStep, LeadStep, SaleStep, AwaitedStep], Field(discriminator="type")]
    ]


class ChainCopy(_Schema):
    """Code for the chain."""

    pytest: str


class CopiedChain(Chain):
    """A chain, and code that expects it."""

    copy_: ChainCopy = Field(alias="copy", description="Code that expects this chain.")


class Hint(_Schema):
    """What may be a mistake in the integration."""

    type: str = Field(examples=["amount_below_100"])
    text: str
    request: Optional[str]
    customer: Optional[str]


class State(_Schema):
    """Everything except the requests."""

    sequence: int = Field(description="Increases with each change.")
    url: str
    token: str
    token_masked: bool
    version: str
    data: Optional[str] = Field(description="The file that keeps the data; null if there is none.")
    settings: Settings
    totals: Totals
    revenue: list[Revenue]
    chains: list[Chain] = Field(description="Newest activity first, at most 1,000.")
    hints: list[Hint]
    faults: list[Fault]
    outage: Optional[Fault]
    undo: bool = Field(description="Whether a clear or an import can be undone.")


class TrackedRequest(_Schema):
    """A request to an operation, without its bodies."""

    id: str
    time: Time = Field(description="When it arrived.")
    operation: str
    event: Optional[str]
    customer: Optional[str]
    invoice: Optional[str]
    click: Optional[str]
    amount: Optional[Amount]
    currency: Optional[str]
    exponent: Exponent
    state: Outcome
    status: Optional[int] = Field(description="Null if no response was sent.")
    type: str = Field(description="ok, dropped, disconnected, or the type of the error.")
    recorded: bool = Field(description="Whether this request recorded the event.")
    fault: Optional[str]
    duration_ms: float
    call: str = Field(description="The id of the first attempt of the same call.")
    attempt: int
    replay_of: Optional[str]
    why: str


class TrackedRequests(_Schema):
    """The newest requests."""

    total: int
    requests: list[TrackedRequest] = Field(description="Newest first.")


class SentRequest(_Schema):
    """What the client sent; the token is masked."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: str
    truncated: bool = Field(description="Whether only the first 16 KiB are kept.")


class SentResponse(_Schema):
    """What the sandbox sent."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    truncated: bool


class RequestCopy(_Schema):
    """Code for the request."""

    python: str
    curl: str
    pytest: str


class FullRequest(TrackedRequest):
    """A request with its bodies."""

    request: SentRequest
    response: Optional[SentResponse]
    copy_: RequestCopy = Field(alias="copy", description="Code that sends the same event.")


class Undo(_Schema):
    """Whether a clear or an import can be undone."""

    undo: bool = Field(description="Whether there is something to restore.")


class Imported(_Schema):
    """How much was imported."""

    requests: int
    events: int
