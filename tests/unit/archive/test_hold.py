"""What a hold is about on the homeserver."""

from __future__ import annotations

from typing import Any

from bridge.archive.hold import media_ids


def test_own_media_is_found_wherever_it_is_linked() -> None:
    """Files, thumbnails, encrypted files and whatever clients think of next; other servers' media is not ours."""
    content = {
        "url": "mxc://x/one",
        "info": {"thumbnail_url": "mxc://x/two", "more": [{"url": "mxc://x/three"}]},
        "file": {"url": "mxc://x/four_-4"},
        "other": ["mxc://y/five", "mxc://x/", "mxc://x/a/b", "mxc://x/ä", "see mxc://x/six", 7, None],
    }
    assert media_ids(content, "x") == {"one", "two", "three", "four_-4"}


def test_deep_nesting_is_looked_through() -> None:
    """What is nested deeper than Python calls ends nothing."""
    content: dict[str, Any] = {"url": "mxc://x/deep"}
    for _ in range(50_000):
        content = {"n": content}
    assert media_ids(content, "x") == {"deep"}
    while content:  # its end would be too deep a call too
        content = content.get("n", {})
