"""CMSClient and TrackingApi have methods for each operation, with the fields of its model."""

import inspect
import re
from typing import Any, get_type_hints

import pytest
import urllib3

import cutmeshort
from cutmeshort import ApiResponse, CMSClient, RequestOptions, TrackingApi, TrackResponse
from cutmeshort.operations import OPERATIONS, Operation

from ..support.operations import each_operation, full, minimal

OPTIONS = ["timeout", "max_retries"]
FORMS = {
    "": TrackResponse,
    "_with_http_info": ApiResponse[TrackResponse],
    "_without_preload_content": urllib3.BaseHTTPResponse,
}


def argument_descriptions(function: Any) -> dict[str, str]:
    """Return the description of each argument in the docstring of a function."""
    section = re.search(
        r"^Args:\n(.*?)(?=^\S|\Z)", inspect.getdoc(function) or "", re.MULTILINE | re.DOTALL
    )
    return dict(re.findall(r"^ {4}(\w+): (\S.*)$", section[1] if section else "", re.MULTILINE))


def parameters(function: Any, *passed: Any) -> list[inspect.Parameter]:
    """Return the parameters of a method, except `self`, that are passed in one of these ways."""
    _self, *others = inspect.signature(function).parameters.values()
    return [each for each in others if each.kind in passed]


@each_operation
def test_the_client_has_a_method_with_the_models_fields(operation: Operation) -> None:
    """Each field is an argument of the client's method, and those that are required come first."""
    method = getattr(CMSClient, operation.name)
    fields = operation.request_model.model_fields
    arguments = parameters(method, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert {each.name for each in arguments} == set(fields)
    required = [each.default is inspect.Parameter.empty for each in arguments]
    assert required == [fields[each.name].is_required() for each in arguments]
    assert required == sorted(required, reverse=True)
    assert all(each.default is None for each, needed in zip(arguments, required) if not needed)


@each_operation
def test_the_clients_method_has_the_options_of_one_call(operation: Operation) -> None:
    """`timeout` and `max_retries` are keyword arguments of each method, None by default."""
    method = getattr(CMSClient, operation.name)
    options = parameters(method, inspect.Parameter.KEYWORD_ONLY)
    assert [(each.name, each.default) for each in options] == [(name, None) for name in OPTIONS]
    assert not parameters(method, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


@each_operation
def test_the_clients_method_describes_each_argument(operation: Operation) -> None:
    """The method's docstring describes each argument, in the order of the signature."""
    method = getattr(CMSClient, operation.name)
    names = list(inspect.signature(method).parameters)[1:]
    assert list(argument_descriptions(method)) == names
    assert inspect.getdoc(method).startswith(f"Track a {operation.event}: ")  # type: ignore[union-attr]


@each_operation
def test_the_clients_methods_have_the_same_types(operation: Operation) -> None:
    """Fields that operations share have the same type in each method."""
    method = getattr(CMSClient, operation.name)
    hints = get_type_hints(method)
    assert set(hints) == {*inspect.signature(method).parameters, "return"} - {"self"}
    for other in OPERATIONS:
        others = get_type_hints(getattr(CMSClient, other.name))
        shared = hints.keys() & others.keys()
        assert {name: hints[name] for name in shared} == {name: others[name] for name in shared}


@each_operation
@pytest.mark.parametrize("form", FORMS)
def test_the_api_has_three_methods(operation: Operation, form: str) -> None:
    """Each of the three methods takes a payload and RequestOptions, and has a docstring."""
    method = getattr(TrackingApi, operation.name + form)
    arguments = parameters(method, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert [each.name for each in arguments] == [f"{operation.event}_payload"]
    assert len(parameters(method, inspect.Parameter.VAR_KEYWORD)) == 1
    hints = get_type_hints(method)
    assert operation.request_model in hints[f"{operation.event}_payload"].__args__
    assert hints["return"] == FORMS[form]
    assert f"Track a {operation.event} and return" in (inspect.getdoc(method) or "")


def test_the_options_of_the_api_are_described() -> None:
    """The docstring of RequestOptions describes each option."""
    documented = re.findall(r"^ {4}(\w+): ", inspect.getdoc(RequestOptions) or "", re.MULTILINE)
    assert set(documented) == set(RequestOptions.__annotations__)


@pytest.mark.parametrize("owner", [CMSClient, TrackingApi])
def test_each_method_belongs_to_an_operation(owner: type) -> None:
    """Each tracking method belongs to an operation."""
    methods = {name for name in dir(owner) if name.startswith("track_")}
    forms = FORMS if owner is TrackingApi else [""]
    assert methods == {operation.name + form for operation in OPERATIONS for form in forms}


@each_operation
def test_an_operations_model_is_public(operation: Operation) -> None:
    """An operation's model is a public name, in a module that the generator would create."""
    model = operation.request_model
    assert model.__name__ in cutmeshort.__all__
    assert getattr(cutmeshort, model.__name__) is model
    assert model.__module__ == f"cutmeshort.models.{operation.event}_payload"


@each_operation
def test_the_tests_have_valid_arguments(operation: Operation) -> None:
    """The tests' minimal and full arguments are valid, and the full ones set every field."""
    operation.request_model.from_dict(minimal(operation))
    event = operation.request_model.from_dict(full(operation))
    assert event.model_fields_set == set(operation.request_model.model_fields)
