"""Every form holds what it should, and nothing in a message can become anything else."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import json
import os
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.export import actiance, concordance, csv_rows, eml, html, mail, rsmf
from bridge.archive.export.order import Format
from bridge.archive.export.values import Conversation, Known
from tests.unit.archive.export.conversations import (
    BOSS,
    HOSTILE_STORY,
    MARI,
    a_conversation,
    a_record,
    amending,
    an_event,
    an_order,
    hostile,
    member,
    redaction,
    with_file,
)

TEXT = st.text(st.characters(exclude_categories=()))


def plain() -> Conversation:
    """Return a conversation with an edit, a reaction and a deletion."""
    events = [
        member(1, BOSS, "join", "Boss"),
        an_event(2, "the budget is 5"),
        amending(3, "m.replace", "$e2", "the budget is 6"),
        amending(4, "m.annotation", "$e2", sender=BOSS, key="👍"),
        redaction(5, "$e2"),
        an_event(6, content={"body": "plan.pdf", "url": "mxc://x/a", "info": {"mimetype": "application/pdf"}}),
        amending(7, "m.thread", "$e2", "in the thread"),
        member(8, BOSS, "leave"),
    ]
    known = {MARI: Known("m.tamm", "Mari Tamm", "Sales", "mari@example.org")}
    found = a_conversation(events, before=[member(-9, MARI, "join")], room_name="Sales", known=known)
    return with_file(found, b"PDF")


def manifest_in(conversation: Conversation) -> Any:
    """Return the manifest of the RSMF file, and check the mail around it."""
    ((_, content),) = rsmf.render(conversation).files.items()
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert found["X-RSMF-Version"] == "2.0.0"
    assert not found["Bcc"]
    (attachment,) = [part for part in found.walk() if part.get_filename()]
    assert attachment.get_filename() == "rsmf.zip"
    assert attachment["Content-Transfer-Encoding"] == "base64"
    with zipfile.ZipFile(io.BytesIO(attachment.get_payload(decode=True))) as archive:  # type: ignore[arg-type]
        assert archive.testzip() is None
        assert set(archive.namelist()) >= {"rsmf_manifest.json"}
        return json.loads(archive.read("rsmf_manifest.json"))


def test_rsmf_has_versions_reactions_and_files() -> None:
    """Edits, deletion, reactions, the thread, the file, and who was there, in the fields of the format."""
    manifest = manifest_in(plain())
    events = {event["id"]: event for event in manifest["events"]}
    said = events["$e2"]
    assert said["deleted"] is True
    assert [(one["previous"], one["new"]) for one in said["edits"]] == [("the budget is 5", "the budget is 6")]
    assert said["reactions"] == [{"value": "👍", "count": 1, "participants": [BOSS]}]
    assert {"leaf", "deleted by", "deletion reason"} <= {one["name"] for one in said["custom"]}
    assert events["$e7"]["parent"] == "$e2"
    assert events["$e6"]["attachments"][0]["display"] == "plan.pdf"
    assert [event["type"] for event in manifest["events"]] == ["join", "message", "message", "message", "leave"]
    assert manifest["conversations"][0]["participants"] == [MARI]
    mari = next(one for one in manifest["participants"] if one["id"] == MARI)
    assert (mari["display"], mari["email"], mari["account_id"]) == ("Mari Tamm", "mari@example.org", "m.tamm")


@pytest.mark.skipif("MUSTER_RSMF" not in os.environ, reason="MUSTER_RSMF names the folder of the public schema")
@pytest.mark.parametrize("conversation", [plain(), hostile()])
def test_rsmf_is_what_the_public_schema_asks_for(conversation: Conversation) -> None:
    """The manifest is valid against the JSON Schema of RSMF 2.0.0."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(os.environ["MUSTER_RSMF"]) / "rsmf_schema_2_0_0.json").read_text(encoding="utf-8-sig"))
    jsonschema.Draft7Validator(schema).validate(manifest_in(conversation))


def test_rsmf_refers_only_to_what_it_holds() -> None:
    """Participants, conversations and parents that are named are there."""
    for conversation in (plain(), hostile()):
        manifest = manifest_in(conversation)
        people = {one["id"] for one in manifest["participants"]}
        ids = {event["id"] for event in manifest["events"]}
        assert len(manifest["events"]) <= 10_000
        for event in manifest["events"]:
            assert event["participant"] in people
            assert event.get("parent", event["id"]) in ids
            named = [one["participant"] for one in event.get("edits", [])]
            named += [user for one in event.get("reactions", []) for user in one["participants"]]
            assert set(named) <= people


def test_a_mail_has_everybody_and_the_files() -> None:
    """From who began, to the others, text and table and file inside."""
    ((_, content),) = eml.render(plain()).files.items()
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert (found["From"], found["To"]) == ("Mari Tamm <mari@example.org>", "Boss <boss@x.org>")
    assert found["Auto-Submitted"] == "auto-generated"
    text, page, file = list(found.iter_parts())
    assert "the budget is 6" in text.get_content()
    assert "deleted" in text.get_content()
    assert b"<td>Mari Tamm</td>" in page.get_payload(decode=True)
    assert (file.get_filename(), file.get_content()) == ("plan.pdf", b"PDF")


def test_nothing_in_a_message_becomes_a_header() -> None:
    """A name, a room or a file with line breaks makes no header and no part."""
    ((_, content),) = eml.render(hostile()).files.items()
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert set(found.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Muster-Room", "MIME-Version", "Content-Type"
    }  # fmt: skip
    assert len(list(found.iter_parts())) == 3
    assert all(byte < 128 for byte in content)
    assert max(map(len, content.splitlines())) <= 998


@given(TEXT, TEXT)
def test_a_header_is_one_header(name: str, where: str) -> None:
    """Whatever is put into a header, every line behind the first is a continuation, in ASCII of bearable length."""
    for value in (mail.text(name), mail.address(name, where)):
        first, *rest = value.split("\r\n")
        assert all(line.startswith(" ") and line.strip() for line in rest)
        assert all(len(line) <= 300 and line.isascii() and line.isprintable() for line in (first, *rest))


def test_actiance_tells_who_was_there_and_what_changed() -> None:
    """Everybody who enters leaves; edits and deletions are updates; the file is transferred."""
    ((_, content),) = actiance.render(plain()).files.items()
    conversation = ElementTree.fromstring(content)[0]  # noqa: S314 - made by us, just now
    entered = [one.findtext("LoginName") for one in conversation.iter("ParticipantEntered")]
    left = [one.findtext("LoginName") for one in conversation.iter("ParticipantLeft")]
    assert sorted(map(str, entered)) == sorted(map(str, left)) == [BOSS, "m.tamm"]
    updates = [(one.findtext("UpdatedType"), one.findtext("Content")) for one in conversation.iter("Message")]
    assert ("Edited", "the budget is 6") in updates
    assert ("Deleted", "the budget is 5") in updates
    assert conversation.findtext("FileTransferEnded/Status") == "Completed"
    assert conversation.findtext("ParticipantEntered/CorporateEmailID") == "mari@example.org"


def test_actiance_stays_xml_whatever_is_said() -> None:
    """Control characters, `]]>` and half a comment are text."""
    ((_, content),) = actiance.render(hostile()).files.items()
    texts = [one.text or "" for one in ElementTree.fromstring(content).iter("Content")]  # noqa: S314 - made by us
    assert any("]]> --> </script>" in text for text in texts)
    assert not list(ElementTree.fromstring(content).iter("script"))  # noqa: S314 - made by us


@given(TEXT)
def test_any_text_is_xml(text: str) -> None:
    """There is no text that cannot be said."""
    ((_, content),) = actiance.render(a_conversation([an_event(1, text)], room_name=text)).files.items()
    ElementTree.fromstring(content)  # noqa: S314 - made by us


@given(TEXT)
def test_no_field_is_a_formula(text: str) -> None:
    """No spreadsheet takes a field for a formula, and what was said can be read back."""
    for value in (text, f"={text}", f" +{text}", f"\t{text}"):
        field = csv_rows.safe(value)
        assert field.lstrip(" ")[:1] not in tuple("=+-@\t\r\n＝＋－＠")
        assert field.removeprefix("'") in (value.replace("\0", "�"), value.replace("\0", "�").removeprefix("'"))


def test_csv_has_a_row_a_version() -> None:
    """The message, its edit and its deletion are rows; every row has every column."""
    records = [a_record(raw, seq) for seq, raw in enumerate(HOSTILE_STORY, 1)]
    content = csv_rows.csv_of(records, {}, {}).decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(content, newline=""))
    assert tuple(header) == csv_rows.COLUMNS
    assert len(rows) == len(HOSTILE_STORY)
    assert {len(row) for row in rows} == {len(header)}
    assert not any(field.startswith(("=", "+", "-", "@")) for row in rows for field in row)


def test_load_files_have_a_row_for_each_document() -> None:
    """The conversation and its file are one family; fields never hold the separators."""
    for conversation in (plain(), hostile()):
        rendered = concordance.render(conversation, "records/000007.jsonl", "00")
        (_, dat), (_, opt) = concordance.close([rendered.index])
        header, *rows = dat.decode("utf-8-sig").split("\r\n")[:-1]
        assert header.count("\x14") == len(concordance.COLUMNS) - 1
        cells = [dict(zip(concordance.COLUMNS, row.split("\x14"), strict=True)) for row in rows]
        assert [cell["BEGBATES"] for cell in cells] == ["þM000007þ", "þM000007.0001þ"]
        assert {(cell["BEGATTACH"], cell["ENDATTACH"]) for cell in cells} == {("þM000007þ", "þM000007.0001þ")}
        assert all(value[0] == value[-1] == "þ" and "þ" not in value[1:-1] for cell in cells for value in cell.values())
        assert [line.count(",") for line in opt.decode().split("\r\n")[:-1]] == [6, 6]
        assert "text/M000007.txt" in rendered.files


class Tags(HTMLParser):
    """Which elements a page has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.found.append((tag, dict(attrs)))


def test_nothing_in_a_message_becomes_markup() -> None:
    """A page has no script, no handler and no address but its own, whatever was said."""
    rendered = html.render(hostile(), an_order(Format.HTML))
    page = next(content for path, content in rendered.files.items() if path.endswith(".html")).decode()
    script = next(content for path, content in rendered.files.items() if path.endswith(".js")).decode()
    tags = Tags(page).found
    assert "script" not in {tag for tag, _ in tags}
    links = [value for _, attributes in tags for name, value in attributes.items() if name in ("href", "src")]
    assert all(str(link).startswith("../") for link in links)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert "</" not in script
    assert json.loads(script.removeprefix("found(").removesuffix(");\n"))[0] == "000007-2023-11-14"


def test_a_page_tells_versions_and_hashes() -> None:
    """The page has each version, who deleted it and why, each leaf, and the root at its foot."""
    page = html.render(plain(), an_order(Format.HTML)).files["pages/000007-2023-11-14.html"].decode()
    for said in ("the budget is 5", "the budget is 6", "typo", "👍", "plan.pdf", "00" * 32):
        assert said in page
    assert all(message.record.leaf.hex() in page for message in plain().messages)
