"""The public names, the modules that have them, and the package's former name."""

import importlib
import importlib.metadata
import sys

import pytest

import cutmeshort

PUBLIC = {
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
}


def test_the_public_names_are_fixed() -> None:
    """The package exports exactly the names in PUBLIC, and each can be imported."""
    assert set(cutmeshort.__all__) == PUBLIC
    assert all(hasattr(cutmeshort, name) for name in PUBLIC)


def test_the_former_name_works_and_warns() -> None:
    """`cms_python` has the same names and warns that the package is now called cutmeshort."""
    sys.modules.pop("cms_python", None)
    with pytest.warns(DeprecationWarning, match="now called cutmeshort") as caught:
        import cms_python
    assert caught[0].filename == __file__
    assert cms_python.__all__ == cutmeshort.__all__
    for name in PUBLIC:
        assert getattr(cms_python, name) is getattr(cutmeshort, name)


def test_the_former_names_of_modules_work_and_warn() -> None:
    """`cms_python.models` and its siblings are the modules of `cutmeshort`."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "cms_python"]:
        del sys.modules[name]
    with pytest.warns(DeprecationWarning, match="now called cutmeshort") as caught:
        from cms_python.models import LeadPayload
    assert caught[0].filename == __file__
    import cms_python

    assert LeadPayload is cms_python.models.LeadPayload is cutmeshort.LeadPayload
    for name in (
        *("api", "api.tracking_api", "api_client", "api_response", "client", "configuration"),
        *("exceptions", "models", "models.error_response", "models.lead_payload"),
        *("models.sale_payload", "models.track_response", "rest"),
    ):
        module = importlib.import_module(f"cutmeshort.{name}")
        former = importlib.import_module(f"cms_python.{name}")
        public = [each for each in vars(module) if not each.startswith("_")]
        for each in getattr(module, "__all__", public):
            assert getattr(former, each) is getattr(module, each)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("lead_payload", "LeadPayload"),
        ("sale_payload", "SalePayload"),
        ("track_response", "TrackResponse"),
        ("error_response", "ErrorResponse"),
    ],
)
def test_a_model_is_in_the_module_of_its_name(module: str, name: str) -> None:
    """Each model is in the module that the generator would create for it."""
    model = getattr(importlib.import_module(f"cutmeshort.models.{module}"), name)
    assert model is getattr(cutmeshort, name)
    assert model.__module__ == f"cutmeshort.models.{module}"
