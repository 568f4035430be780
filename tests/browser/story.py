"""
Twenty minutes of an application, for the screenshots.

They have requests in all states, hints, faults, and sales in three currencies. The events are sent
to the sandbox at once, and their times are changed afterwards in its export.
"""

import json
import re
from datetime import datetime, timedelta, timezone
from random import Random

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

_DAY = datetime(2026, 5, 12, tzinfo=timezone.utc)


def tell(sandbox: Sandbox) -> None:
    """Fill a sandbox with the events of nine customers, and leave two faults."""
    sandbox.update_settings(rate_limit=60)
    with CMSClient(sandbox.token, sandbox.url) as client:
        story = _Story(sandbox, client)
        story.sign_up()
        story.sell()
        story.confirm_later()
        story.retry()
    text = story.with_times(json.dumps(sandbox.export()))
    sandbox.import_(json.loads(text))
    sandbox.fail_next(status=503)
    sandbox.fail_next(drop=True, recorded=True)


class _Story:
    def __init__(self, sandbox: Sandbox, client: CMSClient) -> None:
        self._sandbox = sandbox
        self._client = client
        self._scenes: list[tuple[datetime, datetime]] = []  # when a scene began, and when it begins

    def _at(self, time: str) -> None:
        """Begin the next scene, at a time of day."""
        hours, minutes, seconds = map(int, time.split(":"))
        begin = _DAY + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        self._scenes.append((datetime.now(timezone.utc), begin))

    def _click(self, time: str, link: str) -> str:
        self._at(time)
        return self._sandbox.click(link)

    def sign_up(self) -> None:
        """Five visitors of a link sign up; three visitors of another do not."""
        for number in range(5):
            click = self._click(f"11:5{number}:10", "spring-sale")
            self._at(f"11:5{number}:45")
            self._client.track_lead("Sign up", f"user_{30 + number}", click_id=click)
        for second in (12, 31, 47):
            self._click(f"11:59:{second}", "newsletter-april")

    def sell(self) -> None:
        """Two customers pay, in other currencies, and one request has no click."""
        poster = self._click("12:00:40", "qr-poster")
        self._at("12:01:11")
        self._client.track_lead("Order placed", "kunde-ü-19", click_id=poster)
        self._at("12:01:13")
        self._client.track_sale("Order", "kunde-ü-19", "inv_0998", 12000, "JPY", click_id=poster)
        summer = self._click("12:02:03", "summer-ad")
        self._at("12:02:17")
        self._client.track_lead("sign up", "user_42", click_id=summer)
        self._at("12:02:31")
        self._client.track_lead("Sign up", "user_43")
        self._at("12:03:30")
        self._client.track_sale("Purchase", "user_42", "inv_0999", 49, "USD", click_id=summer)

    def confirm_later(self) -> None:
        """A customer confirms and pays, and one does not yet; there is a duplicate and an error."""
        may = self._click("12:04:11", "newsletter-may")
        self._at("12:04:31")
        self._client.track_lead("Sign up", "user_44", click_id=may, mode="deferred")
        self._at("12:08:40")
        self._client.track_lead("Email confirmed", "user_44")
        for second in (52, 58):
            self._at(f"12:09:{second}")
            self._client.track_sale("Purchase", "user_44", "inv_1001", 4990, "EUR")
        ad = self._click("12:11:02", "google-cpc")
        self._at("12:11:11")
        self._client.track_lead("Sign up", "user_51", click_id=ad, mode="deferred")
        self._at("12:11:40")
        self._client.track_lead("Sign up", "user_44", click_id=may)

    def retry(self) -> None:
        """The call for a sale succeeds with the third attempt."""
        self._at("12:11:58")
        self._client.track_sale("Add-on", "user_44", "inv_1004", 1000, "EUR")
        self._at("12:12:29")
        self._sandbox.fail_next(status=503)
        self._sandbox.fail_next(drop=True, recorded=True)
        self._client.track_sale("Purchase", "user_44", "inv_1005", 9980, "EUR")

    def with_times(self, text: str) -> str:
        """Replace the times in an export by those of the story, and its ids by fixed ones."""
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", self._in_story, text)
        numbers = Random(0)
        for prefix, digits in (("click", 8), ("req", 12)):
            for found in dict.fromkeys(re.findall(rf"{prefix}_[0-9a-f]{{{digits}}}", text)):
                text = text.replace(found, f"{prefix}_{numbers.getrandbits(4 * digits):0{digits}x}")
        return text

    def _in_story(self, match: "re.Match[str]") -> str:
        time = datetime.fromisoformat(match[0].replace("Z", "+00:00"))
        began, begins = max(scene for scene in self._scenes if scene[0] <= time)
        return (begins + (time - began)).isoformat().replace("+00:00", "Z")
