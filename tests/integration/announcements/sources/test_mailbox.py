"""Letters in a real maildir: announced once, as drafts unless our server vouches, and refused with a word."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from mailbox import Maildir
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.announcements.sources.intake import Intake
from bridge.announcements.sources.mailbox import Mailbox
from bridge.config_announcements import MailConfig, SourceConfig
from bridge.errors import HomeserverUnavailableError
from tests.integration.announcements.company import NOW, FakeHomeserver
from tests.integration.announcements.sources.desk_view import announcements, nothing_changed, notices
from tests.unit.announcements.sources.test_letter import PASSED, letter

if TYPE_CHECKING:
    from bridge.database import Pool


@dataclass
class Post:
    """A maildir, who delivers into it, and who reads it."""

    maildir: Path
    files: FakeHomeserver
    mailbox: Mailbox

    def deliver(self, content: bytes) -> None:
        """Put a letter there as a mail server does."""
        key = Maildir(self.maildir).add(content)
        moment = int(NOW.timestamp()) + len(self.left())
        os.utime(self.maildir / "new" / key, (moment, moment))

    def left(self) -> list[str]:
        """What nobody has taken."""
        return [path.name for path in (self.maildir / "new").iterdir()]


@pytest.fixture
def post(pool: Pool, intake: Intake, tmp_path: Path) -> Post:
    """Letters of the press department, announced at once where our server vouches."""
    files, maildir = FakeHomeserver(), tmp_path / "mail"
    config = MailConfig(
        SourceConfig("desk", "Press", True),
        maildir,
        ("@company.example",),
        "mx.company.example",
        timedelta(seconds=1),
        10_000_000,
    )
    return Post(maildir, files, Mailbox(pool, files, "press", config, intake, clock=lambda: NOW))


async def test_a_letter_is_announced_once(pool: Pool, post: Post) -> None:
    """One that our server vouches for is open, any other a draft; the same letter again is the same."""
    vouched = letter(Authentication_Results=PASSED).as_bytes()
    post.deliver(vouched)
    post.deliver(letter().as_bytes().replace(b"<1@", b"<2@"))
    await post.mailbox.look()
    assert [state for _, state, _ in await announcements(pool)] == ["draft", "open"]
    post.deliver(vouched)
    await post.mailbox.look()
    assert len(await announcements(pool)) == 2
    assert post.left() == []
    assert len(list((post.maildir / "cur").iterdir())) == 3


async def test_files_are_kept_by_the_homeserver(pool: Pool, post: Post) -> None:
    """The one file carries the text; while the homeserver is away the letter waits."""
    message = letter()
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="plan.pdf")
    post.deliver(message.as_bytes())
    post.files.away = True
    with pytest.raises(HomeserverUnavailableError):
        await post.mailbox.look()
    assert await nothing_changed(pool)
    post.files.away = False
    await post.mailbox.look()
    body: Mapping[str, object] = await pool.fetchval("SELECT body FROM announcement_text")
    assert (body["url"], body["filename"], body["msgtype"]) == ("mxc://company.example/1", "plan.pdf", "m.file")
    assert body["body"] == "New office\n\nWe have moved."


async def test_a_letter_of_somebody_else_is_passed_over(pool: Pool, post: Post) -> None:
    """Said once to the administrators, however many there are, and never to the sender."""
    for number in range(3):
        post.deliver(letter(sender=f"spam{number}@evil.example").as_bytes())
    await post.mailbox.look()
    assert await nothing_changed(pool)
    assert len(await notices(pool)) == 1
    assert "spam0@evil.example" in (await notices(pool))[0]


async def test_a_10_mb_letter_is_refused(pool: Pool, post: Post) -> None:
    """A 10 MB e-mail is not read; the administrators are told which, nothing is changed and nothing uploaded."""
    message = letter()
    message.add_attachment(bytes(8_000_000), maintype="application", subtype="zip", filename="all.zip")
    content = message.as_bytes()
    assert len(content) > 10_000_000
    post.deliver(content)
    post.deliver(content.replace(b"Press@Company.example", b"spam@evil.example"))
    await post.mailbox.look()
    too_large, others = sorted(await notices(pool))
    assert "larger than 10,000,000 bytes" in too_large
    assert "others than its `senders`" in others
    assert await nothing_changed(pool)
    assert post.files.kept == []
    assert post.left() == []


async def test_a_letter_nobody_foresaw_stops_no_other(pool: Pool, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong within one, it is put away and told, and the next one is announced."""
    message = letter()
    message.add_attachment(b"x", maintype="application", subtype="zip", filename="x.zip")
    post.deliver(message.as_bytes())
    post.deliver(letter().as_bytes().replace(b"<1@", b"<2@"))
    monkeypatch.setattr(post.files, "kept", None)
    await post.mailbox.look()
    assert "cannot read it (AttributeError)" in (await notices(pool))[0]
    assert len(await announcements(pool)) == 1
    assert post.left() == []


async def test_what_nobody_can_hear_is_refused(pool: Pool, post: Post) -> None:
    """An audience of nobody: the administrators are told, and nothing is changed."""
    await pool.execute("DELETE FROM room_member")
    post.deliver(letter().as_bytes())
    await post.mailbox.look()
    assert "Nobody is in the rooms" in (await notices(pool))[0]
    assert await nothing_changed(pool)


async def test_a_crash_before_the_letter_is_put_away_announces_nothing_twice(pool: Pool, post: Post) -> None:
    """Killed between the announcement and the move: the letter is still new, and known."""
    post.deliver(letter().as_bytes())
    [name] = post.left()
    content = (post.maildir / "new" / name).read_bytes()
    await post.mailbox.look()
    (post.maildir / "new" / name).write_bytes(content)
    await post.mailbox.look()
    assert len(await announcements(pool)) == 1
    assert post.left() == []
