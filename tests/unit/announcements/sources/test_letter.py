"""Letters: what they say, who wrote them, and what is not believed."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.announcements.sources.letter import Letter, may_announce, read_letter
from bridge.errors import InputError

SENDER = "Press <Press@Company.example>"
PASSED = "mx.company.example; spf=pass smtp.mailfrom=x; dmarc=pass (p=reject) header.from=company.example"


def letter(text: str = "We have moved.", *, sender: str = SENDER, **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["Subject"] = "New office"
    message["Message-ID"] = "<1@company.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def read(message: EmailMessage | bytes, trust: str = "mx.company.example") -> Letter:
    return read_letter(message if isinstance(message, bytes) else message.as_bytes(), trust=trust)


def test_plain_letter_is_read() -> None:
    """Subject and text; the signature under `-- ` is not announced."""
    found = read(letter("We have moved.\n\nTo the harbour.\n-- \nPress, tel. 1"))
    assert (found.id, found.sender, found.vouched) == ("<1@company.example>", "press@company.example", False)
    assert found.body["body"] == "New office\n\nWe have moved.\n\nTo the harbour."


def test_html_with_scripts_loses_them() -> None:
    """Of two forms of a letter the HTML is taken, without what runs and what counts readers."""
    message = letter("plain")
    message.add_alternative(
        '<p>We <b>moved</b></p><script>x()</script><img src="https://t.example/1.gif"><img src="cid:logo">',
        subtype="html",
    )
    found = read(message).body
    assert found["formatted_body"] == "<h3>New office</h3>\n<p>We <b>moved</b></p>"
    assert "script" not in str(found)


def test_files_and_pictures_come_along() -> None:
    """Attached files, and pictures within the HTML, under names without a path."""
    message = letter()
    message.add_alternative('<p>x</p><img src="cid:a">', subtype="html")
    html = message.get_body(("html",))
    assert html is not None
    html.add_related(b"\x89PNG", "image", "png", cid="<a>")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="../../plan\u202e.pdf")
    assert [(each.name, each.kind, each.content) for each in read(message).attachments] == [
        ("file.png", "image/png", b"\x89PNG"),
        ("plan.pdf", "application/pdf", b"%PDF"),
    ]


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("iso-8859-1", b"caf\xe9", "café"),
        ("no-such-charset", "käes".encode(), "käes"),
        ("us-ascii", "käes".encode(), "käes"),
        ("utf-8", b"caf\xe9", "café"),
    ],
)
def test_a_wrong_charset_is_read_all_the_same(charset: str, raw: bytes, text: str) -> None:
    """What a letter claims to be written in, UTF-8, and Windows' Western one, in this order."""
    head = f"From: a@b.example\r\nSubject: =?utf-8?q?S=C3=BC?=\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
    assert read(head.encode() + raw).body["body"] == f"Sü\n\n{text}"


@pytest.mark.parametrize(
    ("results", "vouched"),
    [
        (PASSED, True),
        ("MX.company.example 1; dkim=pass header.d=company.example", True),
        ("mx.company.example; dmarc=fail header.from=company.example; dkim=pass header.d=evil.example", False),
        ("mx.company.example; dmarc=pass header.from=evil.example", False),
        ("mx.company.example; spf=pass smtp.mailfrom=company.example", False),
        ("mx.company.example; none", False),
        ('mx.company.example; dkim=fail reason="; dmarc=pass header.from=company.example"', False),
        ("mx.company.example; dkim=fail (; dmarc=pass header.from=company.example)", False),
        ("mx.company.example.evil.example; dmarc=pass header.from=company.example", False),
        ("evil.example; dmarc=pass header.from=company.example", False),
    ],
)
def test_the_sender_is_believed_when_our_server_vouches(results: str, vouched: bool) -> None:
    """Only the trusted server's own word for the domain of `From` counts."""
    assert read(letter(Authentication_Results=results)).vouched is vouched
    assert read(letter(Authentication_Results=results), trust="").vouched is False


def test_results_that_came_with_the_letter_are_not_believed() -> None:
    """Our server writes above what came; below it stands what the sender made up."""
    forged = b"Authentication-Results: mx.company.example; dmarc=fail\r\nAuthentication-Results: " + PASSED.encode()
    assert read(forged + b"\r\n" + letter().as_bytes()).vouched is False


@pytest.mark.parametrize(
    "sender", ["", "nobody", "a@b.example, c@d.example", "a@b.example\r\nFrom: c@d.example", '"a@b.example" <>']
)
def test_a_letter_has_one_sender(sender: str) -> None:
    """Two senders are how one hides behind another."""
    with pytest.raises(InputError, match="exactly one sender"):
        read(f"From: {sender}\r\nSubject: x\r\n\r\ny".encode())


def test_a_letter_of_nothing_is_refused() -> None:
    """No subject, no text; the same with a picture that is not shown."""
    with pytest.raises(InputError, match="says nothing"):
        read(b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n<img src=x>")


def test_senders_are_addresses_and_domains() -> None:
    """A domain stands for itself alone, not for what ends like it."""
    allowed = ("ceo@company.example", "@press.example")
    assert may_announce("ceo@company.example", allowed)
    assert may_announce("anyone@press.example", allowed)
    assert not may_announce("else@company.example", allowed)
    assert not may_announce("x@evil-press.example", allowed)
    assert not may_announce("x@sub.press.example", allowed)


def test_parts_within_parts_are_refused() -> None:
    """A letter of ten thousand empty parts takes no time."""
    parts = b"--x\r\n\r\n\r\n" * 10_000
    with pytest.raises(InputError, match="at most 100 parts"):
        read(b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + parts)


@settings(max_examples=100)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_anything_is_read_or_refused(head: bytes, rest: bytes) -> None:
    """Whatever comes as a letter, it is read or refused, never an error nobody foresaw."""
    try:
        found = read(b"From: a@b.example\r\n" + head + b"\r\n\r\n" + rest)
    except InputError:
        return
    assert found.body["body"].strip()
