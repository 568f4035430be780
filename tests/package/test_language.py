"""The project's language: standard terms, and none that only this project would use."""

import re
from pathlib import Path

import pytest

from ..support.paths import ROOT

# Each term with the standard one. Identifiers count as well: `reply_form`, `ReplyForm`.
TERMS = {
    "answer": "response",
    "anybody|nobody|somebody": "name the actor",
    "break off|breaks off|broke off|broken off": "truncated, closed early",
    "but in follow": "except in follow-ups",
    "comes of a call": "whatever happens",
    "contestant": "candidate, library",
    "counts once|counts twice|count twice": "idempotent, deduplicated",
    "for people|for programs": "human-readable, machine-readable",
    "foreign": "not from the service",
    "goes before|go before": "takes precedence over",
    "goes on to": "still works",
    "kind": "type, code, name",
    "on the way|the way to": "proxy, route, tunnel",
    "passing failure": "transient error",
    "repeat": "retry, attempt",
    "reply|replies|replied": "response",
    "room": "module, package",
    "spoil": "inject a fault, fail",
    "wish": "ask, request",
}
SUFFIX = r"(?:s|ed|ing|er)?"
# Names of the standard library.
STANDARD = re.compile(r"itertools\.repeat|\.kind\b")
# Files in which a term is allowed, with the reason.
EXCEPTIONS: dict[str, set[str]] = {
    "tests/package/test_language.py": set(TERMS),  # it lists them
    "tests/support/postgres.py": {"anybody|nobody|somebody"},  # a user of the system
}
FILES = sorted(
    path
    for pattern in (
        *("README.md", "docs/**/*.md", "docs/*.py", "examples/**/*.py", "src/**/*.py"),
        *("tests/**/*.py", ".github/**/*.*", ".ci/run", "pyproject.toml"),
    )
    for path in ROOT.glob(pattern)
)


def _found(text: str, term: str) -> list[str]:
    # Between words, an underscore or a capital letter is a boundary, too.
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", STANDARD.sub("", text)).replace("_", " ")
    pattern = rf"\b(?:{term}){SUFFIX}\b"
    return [
        f"{number}: {line.strip()}"
        for number, line in enumerate(words.splitlines(), start=1)
        if re.search(pattern, line, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_uses_the_standard_terms(path: Path) -> None:
    """No file uses a home-made term for which there is a standard one."""
    allowed = EXCEPTIONS.get(path.relative_to(ROOT).as_posix(), set())
    text = path.read_text(encoding="utf-8")
    found = {
        f"{term} (write: {TERMS[term]})": lines
        for term in TERMS.keys() - allowed
        if (lines := _found(text, term))
    }
    assert not found


def test_a_term_is_found_in_prose_and_in_identifiers() -> None:
    """Upper case, plurals and names in code are found; other words that contain a term are not."""
    for text in ("An Answer.", "the answers", "answer_of", "lastAnswer", "AnswerForm"):
        assert _found(text, "answer"), text
    for text in ("kindly", "a mushroom", "unrepeatable"):
        assert not any(_found(text, term) for term in ("kind", "room", "repeat")), text
