"""Markdown and HTML of anybody's become what Matrix clients may show, and the text that stands beside it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.markup import LARGEST, LONGEST, MOST_ELEMENTS, clean, html_of, plain
from bridge.errors import RefusedError


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("The gate is **closed**.", "<p>The gate is <strong>closed</strong>.</p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("~~old~~ new", "<p><s>old</s> new</p>"),
        ("[plan](https://e.example/a?b&c)", '<p><a href="https://e.example/a?b&amp;c">plan</a></p>'),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("```py\nx < 1\n```", '<pre><code class="language-py">x &lt; 1\n</code></pre>'),
        ("![logo](mxc://e.example/a)", '<p><img src="mxc://e.example/a" alt="logo"></p>'),
        ("<b>bold</b> & more", "<p><b>bold</b> &amp; more</p>"),
    ],
)
def test_markdown_becomes_html_of_matrix(markdown: str, expected: str) -> None:
    """CommonMark, struck text, and a line break where one was typed."""
    assert html_of(markdown) == expected


def test_a_table_keeps_its_cells() -> None:
    """Tables are understood too."""
    assert "<th>Gate</th>" in html_of("| Gate | Open |\n| --- | --- |\n| 1 | no |")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<script>alert(1)</script>safe", "safe"),
        ("<style>p{}</style><title>t</title>safe", "safe"),
        ("<mx-reply>quoted</mx-reply>said", "said"),
        ('<p onclick="x()" style="color:red" class="a" id="b">a</p>', "<p>a</p>"),
        ('<a href="javascript:alert(1)">a</a>', "<a>a</a>"),
        ('<a href=" jAvAsCrIpT:alert(1)">a</a>', "<a>a</a>"),
        ('<a href="/relative">a</a>', "<a>a</a>"),
        ('<a href="mailto:a@b.example" target="_blank">a</a>', '<a href="mailto:a@b.example" target="_blank">a</a>'),
        ('<a href="mxc://a/b">a</a>', "<a>a</a>"),
        ('<img src="https://tracker.example/1.gif" alt="a &quot;b&quot; &lt;">', 'a "b" &lt;'),
        ('<img src="x" onerror="alert(1)">', ""),
        ('<img alt="src=" title=" src=x">', "src="),
        ("<iframe src='https://e.example'>a</iframe><form><input>b</form>", "ab"),
        ('<span data-mx-color="#ff0000">a</span>', '<span data-mx-color="#ff0000">a</span>'),
        (
            '<code class="language-py">a</code><code class="x">b</code>',
            '<code class="language-py">a</code><code>b</code>',
        ),
        ("<b>open", "<b>open</b>"),
        ("<!-- note -->a", "a"),
    ],
)
def test_only_what_clients_may_show_is_left(html: str, expected: str) -> None:
    """Scripts, handlers, styles and addresses other than links never pass; what is said between them does."""
    assert clean(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>a<br>b</p><p>c</p>", "a\nb\n\nc"),
        ("<h1>Gates</h1>\n<p>Closed   today.</p>", "Gates\n\nClosed today."),
        (
            "<ul><li>a</li><li>b<ol start=3><li>c</li><li>d</li></ol></li></ul>after",
            "- a\n- b\n  3. c\n  4. d\n\nafter",
        ),
        ('<a href="https://e.example">plan</a>', "plan (https://e.example)"),
        ('<a href="https://e.example">https://e.example</a>', "https://e.example"),
        ('<a href="https://matrix.to/#/!room">#news</a>', "#news"),
        ("<p>a</p><blockquote><p>b<br>c</p></blockquote>d", "a\n\n> b\n> c\n\nd"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", "a | b\n1 | 2"),
        ("<pre><code>x\n  y</code></pre>", "x\n  y"),
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("<script>no</script>yes", "yes"),
        ('<img src="mxc://a/b" alt="logo">', "logo"),
        ("", ""),
    ],
)
def test_html_has_a_text_beside_it(html: str, expected: str) -> None:
    """Paragraphs, lists, links, quotations and tables can be read without HTML."""
    assert plain(html) == expected


@pytest.mark.parametrize("large", ["<b>" * (MOST_ELEMENTS + 1), "x" * (LARGEST + 1)])
def test_a_bomb_is_refused_with_its_size(large: str) -> None:
    """What would take long to read is refused in a sentence."""
    for read in (clean, plain, html_of):
        with pytest.raises(RefusedError, match=r"at most [0-9,]+ are read"):
            read(large)


def test_markdown_is_bounded_more_narrowly() -> None:
    """Brackets without end take a parser of Markdown long, so that it reads no more than an event holds."""
    with pytest.raises(RefusedError, match="65,537 characters"):
        html_of("[" * (LONGEST + 1))


_PIECES = (
    "<p> </p> <ul><li> </li> <blockquote> &lt; &#x0; <a|href= <img|src= [x]( ) < > \" ' = / a script img src on svg"
    " style javascript: mxc://a/b | \x00"
)


@given(
    st.lists(st.sampled_from(_PIECES.replace("|", "\n").split(" ")), max_size=30).map("".join) | st.text(max_size=60)
)
def test_nothing_dangerous_passes_and_nothing_breaks(html: str) -> None:
    """Whatever comes, cleaning it again changes nothing, nothing forbidden is left, and it can be read."""
    for cleaned in (clean(html), html_of(html)):
        assert clean(cleaned) == cleaned
        assert not re.search(r"<(script|style|svg|iframe)", cleaned)
        assert not re.search(r"<[^>]*\s(on\w+|style)=", cleaned)
        assert not re.search(r'(href|src)="(?!https?:|ftp:|mailto:|magnet:|mxc:)', cleaned)
        assert isinstance(plain(cleaned), str)
