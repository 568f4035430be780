"""TrackingApi: the operations of the tracking API."""

from collections.abc import Mapping
from typing import Any, Optional, Union

import urllib3
from typing_extensions import Unpack

from ..api_client import ApiClient
from ..api_response import ApiResponse
from ..models import LeadPayload, SalePayload, TrackResponse
from ..operations import TRACK_LEAD, TRACK_SALE
from ..request_options import RequestOptions

Lead = Union[LeadPayload, Mapping[str, Any]]
Sale = Union[SalePayload, Mapping[str, Any]]


class TrackingApi:
    """
    The tracking operations, each in three methods that differ in what they return.

    A payload is a model, or a mapping of its fields in snake_case or camelCase. The keyword
    arguments are described at RequestOptions, the exceptions at ApiClient.call_api.

    Args:
        api_client: The client that sends the requests; by default, ApiClient.get_default().
    """

    def __init__(self, api_client: Optional[ApiClient] = None) -> None:
        self.api_client = ApiClient.get_default() if api_client is None else api_client

    def track_lead(self, lead_payload: Lead, **options: Unpack[RequestOptions]) -> TrackResponse:
        """Track a lead and return the parsed response."""
        return self.track_lead_with_http_info(lead_payload, **options).data

    def track_lead_with_http_info(
        self, lead_payload: Lead, **options: Unpack[RequestOptions]
    ) -> ApiResponse[TrackResponse]:
        """Track a lead and return the parsed response with its status and headers."""
        return self.api_client.call_api(TRACK_LEAD, lead_payload, **options)

    def track_lead_without_preload_content(
        self, lead_payload: Lead, **options: Unpack[RequestOptions]
    ) -> urllib3.BaseHTTPResponse:
        """Track a lead and return urllib3's response, of any status, with an unread body."""
        return self.api_client.call_api_without_preload_content(TRACK_LEAD, lead_payload, **options)

    def track_sale(self, sale_payload: Sale, **options: Unpack[RequestOptions]) -> TrackResponse:
        """Track a sale and return the parsed response."""
        return self.track_sale_with_http_info(sale_payload, **options).data

    def track_sale_with_http_info(
        self, sale_payload: Sale, **options: Unpack[RequestOptions]
    ) -> ApiResponse[TrackResponse]:
        """Track a sale and return the parsed response with its status and headers."""
        return self.api_client.call_api(TRACK_SALE, sale_payload, **options)

    def track_sale_without_preload_content(
        self, sale_payload: Sale, **options: Unpack[RequestOptions]
    ) -> urllib3.BaseHTTPResponse:
        """Track a sale and return urllib3's response, of any status, with an unread body."""
        return self.api_client.call_api_without_preload_content(TRACK_SALE, sale_payload, **options)
