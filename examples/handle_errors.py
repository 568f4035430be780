"""Act on each kind of failure. None of them raises."""

import logging

from service import new_id, service

from cutmeshort import CMSClient, TrackResult

log = logging.getLogger("shop")


def handle(result: TrackResult) -> str:
    """Decide what an application does with a result."""
    if result["success"]:
        return "done"
    if result["retryable"]:
        # The same event can't count twice, so that it may be sent again from a job queue.
        return f"queue it, for {result.get('retry_after', 60):.0f} s from now"
    if result["type"] == "validation_error":
        log.warning("event refused: %s", result.get("details"))
        return "fix the caller"
    return f"look into it: {result['error']}"


def main() -> None:
    """Run into a few failures."""
    customer, click = new_id("user"), new_id("click")
    with service():
        with CMSClient() as client:
            print("All well:", handle(client.track_lead("Sign up", customer, click_id=click)))
            print("Invalid argument:", handle(client.track_lead("", customer, click_id=click)))
        with CMSClient("wrong-token") as client:
            print("Wrong token:", handle(client.track_lead("Sign up", customer, click_id=click)))
        with CMSClient(host="http://127.0.0.1:9", max_retries=0) as client:
            print("Nobody there:", handle(client.track_lead("Sign up", customer, click_id=click)))


if __name__ == "__main__":
    main()
