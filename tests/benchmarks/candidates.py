"""
The libraries that are compared: functions that send the same lead.

Each function takes a URL and returns one that sends the lead once and checks the response. A
library is imported when its function is called, as `fresh` measures the import.
"""

from typing import Any, Callable, NamedTuple

Call = Callable[[], object]

TOKEN = "tok_benchmark"
LEAD = {
    "event_name": "Sign up",
    "customer_external_id": "user_42",
    "click_id": "click_1",
    "customer_name": "Ada Lovelace",
    "customer_email": "ada@example.com",
}
# Leads with fields of the maximum length.
LONG = {**LEAD, "event_name": "x" * 255, "customer_name": "x" * 255, "click_id": "x" * 255}
LONGEST = {**LONG, "customer_avatar": "https://example.com/".ljust(2048, "x")}
_HEADERS = {"Authorization": f"Bearer {TOKEN}"}


class Candidate(NamedTuple):
    """
    A library that can send the lead.

    Attributes:
        name: Its name in the tables.
        needs: The module that must be installed.
        make: Takes a URL and returns a function that sends the lead there.
        shareable: Whether threads can share what `make` returns.
    """

    name: str
    needs: str
    make: Callable[[str], Call]
    shareable: bool = True


def wire(lead: dict[str, str]) -> dict[str, str]:
    """Return the JSON of a lead, without pydantic, which not all candidates need."""
    return {
        first + "".join(map(str.title, others)): value
        for (first, *others), value in ((name.split("_"), value) for name, value in lead.items())
    }


def cutmeshort(url: str, lead: dict[str, str] = LEAD, **settings: Any) -> Call:
    """Use this SDK."""
    from cutmeshort import CMSClient

    client = CMSClient(TOKEN, url, **settings)

    def call() -> None:
        assert client.track_lead(**lead)["success"]  # type: ignore[arg-type]

    return call


def by_hand(url: str, lead: dict[str, str] = LEAD, retries: Any = None) -> Call:
    """Use urllib3 alone."""
    import urllib3

    # For 16 threads; by default, urllib3 keeps one connection and closes those of other threads.
    manager = urllib3.PoolManager(maxsize=16)
    url += "/track/lead"
    body = wire(lead)

    def call() -> None:
        response = manager.request("POST", url, json=body, headers=_HEADERS, retries=retries)
        assert response.json()["success"]

    return call


def by_hand_with_models(url: str) -> Call:
    """Use urllib3, and pydantic models with the rules of the SDK's."""
    from datetime import datetime, timezone
    from typing import Annotated, Literal, Optional

    import urllib3
    from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
    from pydantic.alias_generators import to_camel

    def aware(when: datetime) -> datetime:
        return when if when.tzinfo else when.replace(tzinfo=timezone.utc)

    def upper(value: str) -> str:
        return value.upper()

    text = Annotated[str, Field(min_length=1, max_length=255)]
    address = Annotated[str, Field(max_length=255, pattern=r"^\S+@\S+$")]
    picture = Annotated[
        str, Field(max_length=2048, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]\S*$")
    ]
    moment = Annotated[datetime, Field(strict=False), AfterValidator(aware)]
    letters = Annotated[str, Field(pattern=r"^[A-Za-z]{3}$"), AfterValidator(upper)]

    class Event(BaseModel):
        model_config = ConfigDict(
            alias_generator=to_camel,
            populate_by_name=True,
            hide_input_in_errors=True,
            extra="forbid",
            frozen=True,
            strict=True,
        )
        event_name: text
        customer_external_id: text
        customer_name: Optional[Annotated[str, Field(max_length=255)]] = None
        customer_email: Optional[address] = None
        customer_avatar: Optional[picture] = None
        timestamp: Optional[moment] = None

    class Lead(Event):
        mode: Optional[Literal["deferred"]] = None
        click_id: Optional[text] = Field(default=None, validate_default=True)

        @field_validator("click_id")
        @classmethod
        def required(cls, value: Any, info: Any) -> Any:
            assert value or info.data.get("mode") is None, "a deferred lead needs a click"
            return value

    class Sale(Event):
        click_id: Optional[text] = None
        invoice_id: text
        amount: Annotated[int, Field(ge=0, le=2**53 - 1)]
        currency: letters

    manager = urllib3.PoolManager(maxsize=16)
    url += "/track/lead"

    def call() -> None:
        body = Lead(**LEAD).model_dump(mode="json", by_alias=True, exclude_none=True)  # type: ignore[arg-type]
        response = manager.request("POST", url, json=body, headers=_HEADERS)
        assert response.json()["success"]

    return call


def http_client(url: str) -> Call:
    """Use http.client, on which urllib3 is built, without a pool and for one thread."""
    import http.client
    import json
    from urllib.parse import urlsplit

    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {**_HEADERS, "Content-Type": "application/json"}
    body = wire(LEAD)

    def call() -> None:
        connection.request("POST", "/track/lead", json.dumps(body), headers)
        assert json.loads(connection.getresponse().read())["success"]

    return call


def requests(url: str) -> Call:
    """Use requests."""
    import requests

    session = requests.Session()
    url += "/track/lead"
    body = wire(LEAD)

    def call() -> None:
        assert session.post(url, json=body, headers=_HEADERS).json()["success"]

    return call


def httpx(url: str) -> Call:
    """Use httpx."""
    import httpx

    client = httpx.Client()
    url += "/track/lead"
    body = wire(LEAD)

    def call() -> None:
        assert client.post(url, json=body, headers=_HEADERS).json()["success"]

    return call


def dub(url: str) -> Call:
    """Use another SDK that tracks leads."""
    from dub import Dub

    client = Dub(TOKEN, server_url=f"{url}/dub")
    lead: Any = LEAD

    def call() -> None:
        assert client.track.lead(request=lead).click.id == "click_1"

    return call


def stripe(url: str) -> Call:
    """Use an SDK with many operations, and the one that is most like a lead."""
    from stripe import StripeClient

    client = StripeClient(TOKEN, base_addresses={"api": url})
    event: Any = {"event_name": "Sign up", "payload": LEAD}

    def call() -> None:
        assert client.v1.billing.meter_events.create(event).event_name == "Sign up"

    return call


SDK = "cutmeshort"
BY_HAND = "urllib3 by hand"
BY_HAND_WITH_MODELS = "urllib3 and pydantic by hand"
CANDIDATES = [
    Candidate(SDK, "cutmeshort", cutmeshort),
    Candidate(BY_HAND, "urllib3", by_hand),
    Candidate(BY_HAND_WITH_MODELS, "pydantic", by_hand_with_models),
    Candidate("http.client by hand", "http.client", http_client, shareable=False),
    Candidate("requests", "requests", requests),
    Candidate("httpx", "httpx", httpx),
    Candidate("dub", "dub", dub),
    Candidate("stripe", "stripe", stripe),
]
