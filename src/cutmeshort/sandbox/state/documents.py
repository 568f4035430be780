"""Export and import: everything that a sandbox knows as one JSON document."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Annotated, Any, Optional

from pydantic import AfterValidator, Field, ValidationError, model_validator
from typing_extensions import Literal, Self

from ...exceptions import ApiValueError
from .clicks import MAX_CLICKS
from .content import Content
from .exchanges import MAX_REQUESTS, OUTCOMES, ExchangeLog, Outcome
from .items import ClickItem, Count, EventItem, Item, RequestItem, Time, describe
from .settings import Settings
from .state import State

FORMAT = "cutmeshort-sandbox"
VERSION = 1


class SettingsItem(Item):
    """The settings."""

    rate_limit: Optional[int]
    duplicate_status: int
    response: str
    error_status: Optional[int]
    error_response: str

    @model_validator(mode="after")
    def _check(self) -> Self:
        Settings(**dict(self))  # which raises a ValueError
        return self


def _check_counts(counts: dict[Outcome, int]) -> dict[Outcome, int]:
    if counts.keys() != set(OUTCOMES):
        raise ValueError(f"the fields must be {', '.join(OUTCOMES)}")
    return counts


class Document(Item):
    """
    The document.

    `counts` has the number of requests with each outcome, including those that are no longer kept.
    """

    format: Literal["cutmeshort-sandbox"]
    version: Literal[1]
    exported_at: Time
    settings: SettingsItem
    clicks: list[ClickItem] = Field(max_length=MAX_CLICKS)
    events: list[EventItem]
    requests: list[RequestItem] = Field(max_length=MAX_REQUESTS)
    counts: Annotated[dict[Outcome, Count], AfterValidator(_check_counts)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_unique("clicks", [each.click for each in self.clicks])
        events = [each.restore() for each in self.events]
        _check_unique(
            "events", [(each.operation.name, *each.operation.key_of(each.event)) for each in events]
        )
        _check_unique("requests", [each.id for each in self.requests])
        kept = ExchangeLog.restore([each.restore() for each in self.requests]).counts()
        for outcome in OUTCOMES:
            if self.counts[outcome] < kept[outcome]:
                raise ValueError(f"counts.{outcome}: requests has more")
        return self


def _check_unique(name: str, keys: Iterable[object]) -> None:
    seen: dict[object, int] = {}
    for index, key in enumerate(keys):
        first = seen.setdefault(key, index)
        if first != index:
            raise ValueError(f"{name}.{index}: is the same as {name}.{first}")


def export_document(state: State, include_token: bool = False) -> dict[str, Any]:
    """
    Return a document with the settings, the clicks, the events and the requests.

    Args:
        state: What the sandbox knows.
        include_token: Whether Authorization headers contain the token; by default, it is masked.
    """
    clicks, recorded, log = state.content()
    counts = log.counts()
    document = Document.model_construct(
        format=FORMAT,
        version=VERSION,
        exported_at=datetime.now(timezone.utc),
        settings=SettingsItem.model_construct(**asdict(state.settings)),
        clicks=list(map(ClickItem.of, clicks)),
        events=list(map(EventItem.of, recorded)),
        requests=[RequestItem.of(each, include_token=include_token) for each in log.newest()],
        counts={outcome: counts[outcome] for outcome in OUTCOMES},
    )
    return document.model_dump(mode="json")


def import_document(state: State, document: object) -> dict[str, int]:
    """
    Replace everything with the content of a document, until `undo`.

    Returns:
        The number of `requests` and of `events` in the document.

    Raises:
        ApiValueError: The document is invalid, and nothing changes. The message names the place.
    """
    try:
        text = json.dumps(document, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ApiValueError("the document is not JSON", "document") from None
    try:
        parsed = Document.model_validate_json(text)
    except ValidationError as error:
        raise ApiValueError(describe(error), "document") from None
    content = Content(
        [each.restore() for each in parsed.clicks],
        [each.restore() for each in parsed.events],
        ExchangeLog.restore([each.restore() for each in parsed.requests], parsed.counts),
    )
    settings: Any = dict(parsed.settings)
    state.replace_all(content, settings)
    return {"requests": len(parsed.requests), "events": len(parsed.events)}
