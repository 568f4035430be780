"""The API's operations."""

from .tracking_api import TrackingApi

__all__ = ["TrackingApi"]
