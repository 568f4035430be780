"""Track a standard lead, and a deferred lead with its follow-up."""

from datetime import datetime, timezone

from service import new_id, service

from cutmeshort import CMSClient


def main() -> None:
    """Track the three leads, and print their results."""
    with service(), CMSClient() as client:
        result = client.track_lead(
            event_name="Sign up",
            customer_external_id=new_id("user"),
            click_id=new_id("click"),
            customer_name="Ann Lee",
            customer_email="ann@example.com",
            customer_avatar="https://example.com/ann.png",
            timestamp=datetime.now(timezone.utc),
        )
        print("Standard lead:", result)

        # The click is known at sign-up, but what counts is the confirmation of the email address.
        customer = new_id("user")
        result = client.track_lead("Sign up", customer, click_id=new_id("click"), mode="deferred")
        print("Deferred lead:", result)

        # Days later, the customer confirms it. The event needs no click id.
        result = client.track_lead("Email confirmed", customer)
        print("Follow-up:", result)


if __name__ == "__main__":
    main()
