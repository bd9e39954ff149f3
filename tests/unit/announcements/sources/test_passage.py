"""Files beside a text: which one carries it, and where the others stand."""

from __future__ import annotations

from bridge.announcements.sources.passage import Placed, body_of, with_files

PLAN = Placed("plan.pdf", "application/pdf", 5, "mxc://a/plan")
LOGO = Placed('lo"go.png', "image/png", 6, "mxc://a/logo")
SHIP = Placed("ship.jpg", "image/jpeg", 7, "mxc://a/ship")
BODY = body_of("We have moved.")


def test_without_files_nothing_changes() -> None:
    """A letter without files is its text."""
    assert with_files(BODY, []) == BODY


def test_one_file_carries_the_text() -> None:
    """As a caption; a picture is shown as one."""
    assert with_files(BODY, [PLAN]) == {
        "msgtype": "m.file",
        "body": "We have moved.",
        "filename": "plan.pdf",
        "url": "mxc://a/plan",
        "info": {"mimetype": "application/pdf", "size": 5},
    }
    assert with_files(BODY, [LOGO])["msgtype"] == "m.image"


def test_pictures_beside_others_stand_in_the_text() -> None:
    """Several pictures follow the text; beside a file they stand in its caption."""
    both = with_files(BODY, [LOGO, SHIP])
    assert both["msgtype"] == "m.text"
    assert both["formatted_body"] == (
        '<p>We have moved.</p>\n<p><img src="mxc://a/logo" alt="lo&quot;go.png"></p>'
        '<p><img src="mxc://a/ship" alt="ship.jpg"></p>'
    )
    carried = with_files(BODY, [LOGO, PLAN])
    assert (carried["msgtype"], carried["url"]) == ("m.file", "mxc://a/plan")
    assert "mxc://a/logo" in carried["formatted_body"]
