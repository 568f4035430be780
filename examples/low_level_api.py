"""Use TrackingApi directly: exceptions instead of dicts, HTTP details, per-call options."""

from service import new_id, service

from cutmeshort import (
    ApiClient,
    ApiException,
    Configuration,
    LeadPayload,
    SalePayload,
    TrackingApi,
    UnprocessableEntityException,
)


def main() -> None:
    """Track a lead and a sale, and catch an exception."""
    with service(), ApiClient(Configuration(timeout=5, retries=1)) as api_client:
        api = TrackingApi(api_client)
        lead = LeadPayload(
            event_name="Sign up", customer_external_id=new_id("user"), click_id=new_id("click")
        )
        response = api.track_lead_with_http_info(lead, _deadline=3, _headers={"X-Trace": "1"})
        print("Lead:", response.status_code, response.data.message, response.data.data)
        print("Content-Type:", response.headers["content-type"])
        sale = SalePayload(
            event_name="Purchase",
            customer_external_id=new_id("user"),  # has no click: the service rejects the sale
            invoice_id=new_id("inv"),
            amount=4999,
            currency="USD",
        )
        try:
            api.track_sale(sale)
        except UnprocessableEntityException as error:
            print("Rejected:", error, error.data and error.data.details)
        except ApiException as error:
            print("Failed:", error.status, error.type)


if __name__ == "__main__":
    main()
