"""The part of the configuration that says where the company's photos of people are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bridge import document
from bridge.document import Kind, Section, Value, a, line, nearest, placed


@dataclass(frozen=True, slots=True)
class PhotosConfig:
    """Where photos are, if anywhere; the file of a person goes before the address."""

    folder: Path | None = None
    """Of files called after userNames."""
    attribute: str | None = None
    """One of the directory's own, which holds an address."""


def photos(attributes: Collection[str], folder: Path) -> Kind[PhotosConfig]:
    """Return the kind of the section, or `null`; `attributes` are the company's own, `folder` is the file's."""
    some = a(partial(_photos, attributes=attributes, folder=folder))

    def make(value: Value) -> PhotosConfig:
        return PhotosConfig() if value.scalar("null") is not None else some.make(value)

    return Kind(make, PhotosConfig)


def _photos(section: Section, attributes: Collection[str], folder: Path) -> PhotosConfig:
    inside = section.optional("folder", document.path, None)
    attribute = section.optional("attribute", placed(line), None)
    known = {name.lower() for name in attributes}
    if attribute is not None and attribute.value.lower() not in known:
        hint = nearest(attribute.value, attributes)
        attribute.problem(f"expected one of `directory.attributes`, came {attribute.value}{hint}")
    return PhotosConfig(inside and folder / inside, attribute.value if attribute is not None else None)
