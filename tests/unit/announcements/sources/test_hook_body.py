"""The body of an announcing webhook: ours and Slack's are read, and what is wrong is told."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.sources.hook_body import read_body
from bridge.announcements.sources.slack import markdown_of
from bridge.errors import InputError


def html_of(said: dict[str, Any]) -> str:
    return str(read_body(said).bodies[""].get("formatted_body", ""))


def test_text_is_said_as_it_stands() -> None:
    """Plain text is not Markdown: what looks like it stays."""
    assert read_body({"text": "**not bold**"}).bodies == {"": {"msgtype": "m.text", "body": "**not bold**"}}


def test_everything_that_may_be_said_is_read() -> None:
    """Title, Markdown, audience, priority, moment and duration."""
    found = read_body(
        {
            "title": "VPN <down>",
            "markdown": "from **22:00**",
            "to": ["news", "news"],
            "priority": "important",
            "at": "2027-03-01T08:00:00+02:00",
            "lasts": "7d",
        }
    )
    assert "<h3>VPN &lt;down&gt;</h3>" in found.bodies[""]["formatted_body"]
    assert "<strong>22:00</strong>" in found.bodies[""]["formatted_body"]
    assert (found.rooms, found.people, found.priority) == (("news",), "", "important")
    assert found.due_at == datetime(2027, 3, 1, 6, tzinfo=UTC)
    assert found.lasts == timedelta(days=7)


def test_each_language_has_a_text_of_its_own() -> None:
    """In the order in which they come, which is that in which they are said."""
    found = read_body({"languages": {"et": {"html": "<b>maas</b>"}, "en": {"text": "down"}}}).bodies
    assert [*found] == ["et", "en"]
    assert (found["et"]["formatted_body"], found["en"]["body"]) == ("<b>maas</b>", "down")


def test_people_are_chosen_by_a_selector() -> None:
    """`to` as text is a selector, which the policy's own rules judge later."""
    assert read_body({"text": "x", "to": 'department eq "Sales"'}).people == 'department eq "Sales"'


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "expected a JSON object"),
        ({}, "expected `text`, `markdown` or `html`"),
        ({"text": " "}, "nothing is left of it"),
        ({"text": "a", "html": "b"}, "expected one of text, markdown and html, came text and html"),
        ({"text": 1}, "expected text, came something else"),
        ({"text": "a", "too": ["news"]}, "unknown key `too`; did you mean `to`?"),
        ({"text": "a", "to": []}, "`to`: expected a list of the policy's rooms"),
        ({"text": "a", "to": [1]}, "`to`: expected a list of the policy's rooms"),
        ({"text": "a", "priority": "emergency"}, "`priority`: expected one of urgent, important, normal"),
        ({"text": "a", "at": "tomorrow"}, "`at`: expected a time with its zone"),
        ({"text": "a", "at": "2027-03-01T08:00:00"}, "`at`: expected a time with its zone"),
        ({"text": "a", "at": 5}, "`at`: expected a time with its zone"),
        ({"text": "a", "lasts": "7 days"}, "`lasts`: expected a duration"),
        ({"languages": {"english please": {"text": "a"}}}, "`languages`: expected a language"),
        ({"text": "a", "languages": {"en": {"text": "b"}}}, "expected `text` within `languages`"),
        ({"languages": {"en": "a"}}, "`languages.en`: expected an object"),
        ({"languages": {"en": {"txt": "a"}}}, "`languages.en`: unknown key `txt`; did you mean `text`?"),
        ({"blocks": [{"type": "divider_of_tomorrow"}]}, "nothing is left of it"),
    ],
)
def test_what_is_wrong_is_told(said: Any, words: str) -> None:
    """Each says where it is, what was expected and what came."""
    with pytest.raises(InputError) as caught:
        read_body(said)
    assert words in caught.value.message


def test_what_no_table_can_hold_is_replaced() -> None:
    """NUL and lone surrogates, which JSON can say."""
    assert (
        read_body({"text": "a\x00\ud800b"}).bodies[""]["body"] == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"
    )
    assert "\N{REPLACEMENT CHARACTER}" in html_of({"html": "<b>\ud800</b>"})


def test_html_with_scripts_loses_them() -> None:
    """Nothing that runs and nothing that is fetched comes through, whatever way it is written."""
    evil = (
        "<p onclick='x()'>Hello</p><script>alert(1)</script><img src=https://evil.example/p.gif onerror=x>"
        "<a href='javascript:alert(1)'>here</a><iframe src=//evil.example></iframe><style>p{}</style>"
    )
    for said in ({"html": evil}, {"markdown": evil}):
        found = html_of(said)
        assert "Hello" in found
        assert not any(word in found.lower() for word in ("script", "alert", "onclick", "evil", "style", "iframe"))


def test_slacks_blocks_are_read() -> None:
    """Header, section with fields, context, divider and image, as Slack shows them."""
    said = {
        "text": "fallback, not shown",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "Build *7* failed"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*main* by <https://ci.example/7?a=1&amp;b=2|CI>"}},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Step*\ntests"}]},
            {"type": "divider"},
            {"type": "image", "image_url": "https://ci.example/g.png", "alt_text": "graph"},
            {"type": "context", "elements": [{"type": "plain_text", "text": "a < b"}]},
            {"type": "actions", "elements": []},
            "not a block",
        ],
    }
    found = html_of(said)
    assert "<h3>Build *7* failed</h3>" in found
    assert '<strong>main</strong> by <a href="https://ci.example/7?a=1&amp;b=2">CI</a>' in found
    assert "<strong>Step</strong><br>" in found
    assert "<hr>" in found
    assert '<a href="https://ci.example/g.png">graph</a>' in found
    assert "a &lt; b" in found
    assert "fallback" not in found


def test_slacks_attachments_are_read() -> None:
    """The older form, which monitoring tools still send."""
    attachment = {
        "pretext": "Alert",
        "title": "CPU",
        "title_link": "https://mon.example/1",
        "text": "95 %",
        "fields": [{"title": "Host", "value": "db1"}],
        "fallback": "not shown",
    }
    found = html_of({"text": "hi", "attachments": [attachment]})
    assert '<a href="https://mon.example/1">CPU</a>' in found
    assert all(word in found for word in ("hi", "Alert", "95 %", "<strong>Host</strong>", "db1"))
    assert "not shown" not in found
    assert html_of({"attachments": [{"fallback": "only this"}]}) == "<p>only this</p>"


@pytest.mark.parametrize(
    ("mrkdwn", "markdown"),
    [
        ("*bold* and _slanted_ and ~gone~", "**bold** and _slanted_ and ~~gone~~"),
        ("2*3*4", "2*3*4"),
        (
            "<https://a.example|A> <mailto:x@a.example>",
            "[A](<https://a.example>) [mailto:x@a.example](<mailto:x@a.example>)",
        ),
        ("<!here> <!subteam^S1|@ops> <@U1|anna> <#C1|general>", " @ops @anna \\#general"),
        ("<javascript:alert(1)|click>", "click"),
        ("`*a* &lt; b` *c*", "`*a* < b` **c**"),
        ("[x](https://evil.example)", "\\[x\\](https://evil.example)"),
    ],
)
def test_mrkdwn_becomes_markdown(mrkdwn: str, markdown: str) -> None:
    """The marks that differ are exchanged, code is left, nobody is called, and only real addresses are links."""
    assert markdown_of(mrkdwn) == markdown


_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "blocks", "fields", "elements", "attachments", "title", "html", "to", "at"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_json)
def test_anything_is_read_or_refused(said: Any) -> None:
    """Whatever JSON comes, there is something to say or a message, never an error nobody foresaw."""
    with suppress(InputError):
        found = read_body(said)
        assert all(body["body"].strip() for body in found.bodies.values())
