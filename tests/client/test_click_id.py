"""`click_id.read` finds the click id in cookies and query, and never raises."""

from collections.abc import Iterator, Mapping
from typing import Any, Optional

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from werkzeug.datastructures import ImmutableMultiDict

import cutmeshort
from cutmeshort import click_id

COOKIE, QUERY = {"cms_rf": "cookie"}, {"cms_rf": "query"}
OTHER_COOKIE, OTHER_QUERY = {"cms_id": "other_cookie"}, {"cms_id": "other_query"}


class Failing(Mapping[str, str]):
    """A mapping whose every method raises an exception."""

    def __getitem__(self, key: str) -> str:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


class Ambiguous:
    """An object that raises an exception if it is compared."""

    def __eq__(self, other: object) -> bool:
        raise ValueError

    def __hash__(self) -> int:
        raise ValueError


@pytest.mark.parametrize(
    ("cookies", "query", "last", "first"),
    [
        ({}, {}, None, None),
        (None, None, None, None),
        (COOKIE, {}, "cookie", "cookie"),
        (COOKIE, None, "cookie", "cookie"),
        ({}, QUERY, "query", "query"),
        (None, QUERY, "query", "query"),
        (COOKIE, QUERY, "query", "cookie"),
        ({**OTHER_COOKIE, **COOKIE}, {}, "cookie", "cookie"),
        (OTHER_COOKIE, QUERY, "query", "other_cookie"),
        (COOKIE, OTHER_QUERY, "other_query", "cookie"),
        (COOKIE, {"cms_rf": ""}, "cookie", "cookie"),
        ({"cms_rf": " "}, QUERY, "query", "query"),
        ({"cms_rf": "x" * 256, **OTHER_COOKIE}, {}, "other_cookie", "other_cookie"),
    ],
)
def test_the_model_decides_between_query_and_cookie(
    cookies: Any, query: Any, last: Optional[str], first: Optional[str]
) -> None:
    """The query takes precedence with `last`, the cookies with `first`, then the first name."""
    assert click_id.read(cookies, query) == click_id.read(cookies, query, model="last") == last
    assert click_id.read(cookies, query, model="first") == first


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "x"),
        ("x" * 255, "x" * 255),
        (" \t" + "x" * 255 + "\n", "x" * 255),
        ("a b", "a b"),
        ("é/+=%;", "é/+=%;"),
        *((value, None) for value in ("", "  ", "x" * 256, "a\nb", "a\0b", "\ud800", "\u200b")),
        *((value, None) for value in (None, 7, b"x", ["x"], ("x",), {"x": "x"}, True)),
    ],
)
def test_only_1_to_255_printable_characters_are_a_click_id(
    value: object, expected: Optional[str]
) -> None:
    """`read` strips a value, and returns it only if it is text of a valid length."""
    assert click_id.read({"cms_rf": value}) == click_id.read(None, {"cms_rf": value}) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("b", "2"),
        ("ab", "3"),
        (("b", "a"), "2"),
        (["missing", "a"], "1"),
        (iter(["b"]), "2"),
        ((), None),
        (None, None),
        (7, None),
        ((["unhashable"], "a"), "1"),
    ],
)
def test_names_are_tried_in_order(names: Any, expected: Optional[str]) -> None:
    """`read` tries the given names in their order, and a string is one name."""
    assert click_id.read({"a": "1", "b": "2", "ab": "3"}, names=names) == expected


@pytest.mark.parametrize("model", ["LAST", None, 7, ["first"]])
def test_an_unknown_model_acts_as_last(model: Any) -> None:
    """`read` reads the query first with a model that it does not know."""
    assert click_id.read(COOKIE, QUERY, model=model) == "query"


def test_a_mapping_that_fails_counts_as_absent() -> None:
    """`read` reads the other mapping if one raises an exception."""
    assert click_id.read(Failing(), QUERY, model="first") == "query"
    assert click_id.read(COOKIE, Failing()) == "cookie"
    ambiguous: Any = Ambiguous()
    assert click_id.read(COOKIE, QUERY, model=ambiguous) is None


@pytest.mark.parametrize("query", [QueryDict, QueryParams])
def test_the_mappings_of_frameworks_can_be_read(query: Any) -> None:
    """`read` accepts the queries of Django and Starlette, also with a parameter given twice."""
    assert click_id.read(COOKIE, query("cms_rf=one&cms_rf=two&x")) == "two"
    assert click_id.read(COOKIE, query("cms_rf=")) == "cookie"


def test_the_mapping_of_flask_can_be_read() -> None:
    """`read` accepts the query and the cookies of Flask, which return the first of two values."""
    pairs = ImmutableMultiDict([("cms_rf", "one"), ("cms_rf", "two")])
    assert click_id.read(pairs) == click_id.read(None, pairs) == "one"


ANYTHING = st.one_of(
    st.none(), st.integers(), st.text(), st.lists(st.text()), st.just(Failing()), st.binary()
)
MAPPINGS = st.dictionaries(st.sampled_from(["cms_rf", "cms_id", "x"]), ANYTHING)


@given(st.one_of(ANYTHING, MAPPINGS), st.one_of(ANYTHING, MAPPINGS), ANYTHING, ANYTHING)
def test_read_never_raises(cookies: Any, query: Any, names: Any, model: Any) -> None:
    """`read` returns a click id that the service accepts, or None, whatever it gets."""
    for found in (
        click_id.read(cookies, query),
        click_id.read(cookies, query, names=names, model=model),
    ):
        assert found is None or (found == found.strip() and 1 <= len(found) <= 255)


def test_the_module_is_an_attribute_of_the_package() -> None:
    """`import cutmeshort` makes `cutmeshort.click_id` available."""
    assert cutmeshort.click_id.read(COOKIE) == "cookie"
