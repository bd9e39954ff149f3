"""Mails: one for each conversation, from who began it to everybody there, as text and as HTML, with the files. Pure."""

from __future__ import annotations

from html import escape

from bridge.archive.export import mail
from bridge.archive.export.transcript import at, heading, transcript
from bridge.archive.export.values import Conversation, Kind, Participant, Rendered


def render(conversation: Conversation) -> Rendered:
    """Return the conversation's `.eml` file."""
    said = [message.user_id for message in conversation.messages if message.kind is Kind.MESSAGE and message.user_id]
    began = said[0] if said else conversation.messages[0].user_id if conversation.messages else None
    people = [each for user, each in conversation.participants.items() if user != began]
    headers = [
        ("Subject", mail.text(heading(conversation))),
        ("From", _address(conversation.participant(began)) if began else mail.address("Muster", "")),
        ("To", ",\r\n ".join(map(_address, people)) or "undisclosed-recipients:;"),
        ("Date", mail.moment(conversation.ends)),
        ("Message-ID", f"<{conversation.name}@export.muster.invalid>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Muster-Room", mail.text(conversation.room_id)),
    ]
    text = transcript(conversation)
    parts = [
        mail.Part("text/plain", text.encode("utf-8", "replace")),
        mail.Part("text/html", _page(conversation, text).encode("utf-8", "replace"), f"{conversation.name}.html"),
    ]
    for message in conversation.messages:
        attachment = message.record.attachment
        if attachment and attachment.path in conversation.content:
            content = conversation.content[attachment.path]
            parts.append(mail.Part(attachment.mimetype, content, attachment.name or "file"))
    return Rendered({f"eml/{conversation.name}.eml": mail.mail(headers, parts, f"eml{conversation.number:06d}")})


def _address(participant: Participant) -> str:
    email = participant.known.email if participant.known else ""
    localpart, _, server = participant.user_id[1:].partition(":")
    return mail.address(participant.name, email if mail.is_address(email) else f"{localpart}@{server}")


def _page(conversation: Conversation, text: str) -> str:
    rows = "".join(_row(conversation, participant) for participant in conversation.participants.values())
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(heading(conversation))}</title>'
        '<table border="1"><tr><th>Name</th><th>User ID</th><th>Department</th><th>Joined</th><th>Left</th>'
        f"<th>Messages</th></tr>{rows}</table><pre>{escape(text)}</pre>"
    )


def _row(conversation: Conversation, participant: Participant) -> str:
    user = participant.user_id
    mine = [message for message in conversation.messages if message.user_id == user]
    joined = [at(message.record.sent_at) for message in mine if message.kind is Kind.JOIN]
    left = [at(message.record.sent_at) for message in mine if message.kind is Kind.LEAVE]
    cells = [
        participant.name,
        user,
        participant.known.department if participant.known else "",
        ", ".join((["before"] if user in conversation.present else []) + joined),
        ", ".join(left),
        str(sum(message.kind is Kind.MESSAGE for message in mine)),
    ]
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
