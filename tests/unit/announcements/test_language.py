"""Everybody gets the language they read, as far as there is one."""

from __future__ import annotations

import pytest

from bridge.announcements.language import endonym, readable


@pytest.mark.parametrize(
    ("wishes", "languages", "expected"),
    [
        ([], ["en", "et"], "en"),
        (["et"], ["en", "et"], "et"),
        (["ET"], ["en", "et"], "et"),
        (["de-CH"], ["en", "de"], "de"),
        (["de"], ["en", "de-AT"], "de-AT"),
        (["de-CH"], ["de-AT", "de-CH"], "de-CH"),
        (["da, en-gb;q=0.8, et;q=0.9"], ["en", "et"], "et"),
        (["et;q=0"], ["en", "et"], "en"),
        (["ru", "et_EE"], ["en", "et"], "et"),
        (["*", "]]", ""], ["en", "et"], "en"),
    ],
)
def test_the_first_wish_that_can_be_met_is(wishes: list[str], languages: list[str], expected: str) -> None:
    """`preferredLanguage` in its order of weight, then `locale`; regions give way before the language does."""
    assert readable(wishes, languages) == expected


@pytest.mark.parametrize(("tag", "name"), [("et", "Eesti"), ("pt-BR", "Português (BR)"), ("xx", "xx")])
def test_a_language_is_called_as_it_calls_itself(tag: str, name: str) -> None:
    """Readers find their own text without knowing another language."""
    assert endonym(tag) == name
