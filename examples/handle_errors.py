"""Decide what to do with a result: calls return errors instead of raising exceptions."""

import logging

from service import new_id, service

from cutmeshort import CMSClient, TrackResult

log = logging.getLogger("shop")


def next_step(result: TrackResult) -> str:
    """Return what an application should do next, as text."""
    if result["success"]:
        return "done"
    if result["retryable"]:
        # The service deduplicates, so a job queue may send the same event again.
        return f"send it again in {result.get('retry_after', 60):.0f} s, from a job queue"
    if result["type"] == "validation_error":
        log.warning("event rejected: %s", result.get("details"))
        return "fix the arguments of the call"
    return f"investigate: {result['error']}"


def main() -> None:
    """Make one call that succeeds and three that fail."""
    customer, click = new_id("user"), new_id("click")
    with service():
        with CMSClient() as client:
            result = client.track_lead("Sign up", customer, click_id=click)
            print("Valid lead:", next_step(result))
            result = client.track_lead("", customer, click_id=click)
            print("Empty event name:", next_step(result))
        with CMSClient("wrong-token") as client:
            result = client.track_lead("Sign up", customer, click_id=click)
            print("Wrong token:", next_step(result))
        # Nothing listens on port 9.
        with CMSClient(host="http://127.0.0.1:9", max_retries=0) as client:
            result = client.track_lead("Sign up", customer, click_id=click)
            print("Unreachable host:", next_step(result))


if __name__ == "__main__":
    main()
