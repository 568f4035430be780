"""
Conversion tracking with CutMeShort: credit leads and sales to the clicks they came from.

    >>> from cutmeshort import CMSClient
    >>> client = CMSClient()  # token from CMS_BEARER_TOKEN
    >>> result = client.track_lead("Sign up", "user_42", click_id="...")
"""

from . import click_id
from ._version import __version__
from .api import TrackingApi
from .api_client import ApiClient
from .api_response import ApiResponse
from .client import CMSClient
from .configuration import Configuration
from .exceptions import (
    ApiAttributeError,
    ApiException,
    ApiKeyError,
    ApiTypeError,
    ApiValueError,
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotFoundException,
    OpenApiException,
    ServiceException,
    TooManyRequestsException,
    UnauthorizedException,
    UnprocessableEntityException,
)
from .models import ErrorResponse, LeadPayload, SalePayload, TrackResponse
from .money import from_minor_units, to_minor_units
from .request_options import RequestOptions
from .results import Outcome, TrackError, TrackResult, TrackSuccess

__all__ = [
    "ApiAttributeError",
    "ApiClient",
    "ApiException",
    "ApiKeyError",
    "ApiResponse",
    "ApiTypeError",
    "ApiValueError",
    "BadRequestException",
    "CMSClient",
    "Configuration",
    "ConflictException",
    "ErrorResponse",
    "ForbiddenException",
    "LeadPayload",
    "NotFoundException",
    "OpenApiException",
    "Outcome",
    "RequestOptions",
    "SalePayload",
    "ServiceException",
    "TooManyRequestsException",
    "TrackError",
    "TrackResponse",
    "TrackResult",
    "TrackSuccess",
    "TrackingApi",
    "UnauthorizedException",
    "UnprocessableEntityException",
    "__version__",
    "click_id",
    "from_minor_units",
    "to_minor_units",
]
