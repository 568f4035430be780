"""A realistic hour of an application, for the screenshots: all states, with hints and faults."""

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox


def tell(sandbox: Sandbox) -> None:
    """Send the events of nine customers to a sandbox, and leave two faults for the next requests."""
    sandbox.update_settings(rate_limit=60)
    with CMSClient(sandbox.token, sandbox.url) as client:
        for number in range(30, 35):
            client.track_lead("Sign up", f"user_{number}", click_id=sandbox.click("spring-sale"))
        for _ in range(3):
            sandbox.click("newsletter-april")  # without a lead
        _sell_in_other_currencies(sandbox, client)
        _confirm_later(sandbox, client)
        _attempt_again(sandbox, client)
    sandbox.fail_next(status=503)
    sandbox.fail_next(drop=True, recorded=True)


def _sell_in_other_currencies(sandbox: Sandbox, client: CMSClient) -> None:
    click = sandbox.click("qr-poster")
    client.track_lead("Order placed", "kunde-ü-19", click_id=click)
    client.track_sale("Order", "kunde-ü-19", "inv_0998", 12000, "JPY", click_id=click)
    click = sandbox.click("summer-ad")
    client.track_lead("Sign up", "user_42", click_id=click)
    client.track_lead("Sign up", "user_43")  # refused: there is no click
    client.track_sale("Purchase", "user_42", "inv_0999", 49, "USD", click_id=click)


def _confirm_later(sandbox: Sandbox, client: CMSClient) -> None:
    click = sandbox.click("newsletter-may")
    client.track_lead("Sign up", "user_44", click_id=click, mode="deferred")
    client.track_lead("Email confirmed", "user_44")
    for _ in range(2):  # the second one is a duplicate
        client.track_sale("Purchase", "user_44", "inv_1001", 4990, "EUR")
    click = sandbox.click("google-cpc")
    client.track_lead("sign up", "user_51", click_id=click, mode="deferred")
    client.track_lead("Sign up", "user_44", click_id=click)  # refused: it has a click


def _attempt_again(sandbox: Sandbox, client: CMSClient) -> None:
    client.track_sale("Add-on", "user_44", "inv_1004", 1000, "EUR")
    sandbox.fail_next(status=503)
    sandbox.fail_next(drop=True, recorded=True)
    client.track_sale("Purchase", "user_44", "inv_1005", 9980, "EUR")
