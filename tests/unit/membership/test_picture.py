"""Pictures are made small and square of what is one, and nothing else is let through."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bridge.errors import PictureError
from bridge.membership import picture
from bridge.membership.picture import LARGEST_FILE, SIDE


def encoded(kind: str, size: tuple[int, int] = (300, 200), colour: str = "red", **said: object) -> bytes:
    """Return a picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind, **said)
    return out.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def bomb(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that says to be this large."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in (header, body)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_photo_becomes_a_square_jpeg_without_what_is_not_seen(kind: str) -> None:
    """Whatever it was, and without the place where it was taken."""
    exif = Image.Exif()
    exif[0x9286] = "Tallinn, 59.43 24.75"
    made = picture.photo(encoded(kind, exif=exif.tobytes()))
    assert (opened(made).format, opened(made).size) == ("JPEG", (SIDE, SIDE))
    assert b"Tallinn" not in made
    assert not opened(made).getexif()


def test_a_photo_is_turned_as_it_was_taken() -> None:
    """A phone writes lying pictures and says how to turn them."""
    lying = Image.new("RGB", (400, 400), "red")
    lying.paste("blue", (0, 0, 400, 200))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    out = io.BytesIO()
    lying.save(out, "JPEG", exif=exif.tobytes())
    pixel = opened(picture.photo(out.getvalue())).getpixel((SIDE // 2, 20))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200 > 50 > pixel[2]


def test_a_logo_stays_whole_with_clear_margins() -> None:
    """A wide one is not cut at its sides."""
    made = opened(picture.logo(encoded("PNG", (400, 100))))
    assert (made.format, made.size, made.mode) == ("PNG", (SIDE, SIDE), "RGBA")
    assert made.getpixel((2, SIDE // 2)) == (255, 0, 0, 255)
    assert made.getpixel((SIDE // 2, 2)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "came something else"),
        (b"<!doctype html><p>Not found", "came something else"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "came something else"),
        (encoded("GIF"), "came something else"),
        (encoded("PNG")[:-60], "a damaged one"),
        (b"x" * (LARGEST_FILE + 1), "expected at most 8 MiB, came 8.0"),
        (bomb(10_000, 10_000), "expected at most 50 megapixels, came 10000 x 10000"),
        (bomb(60_000, 60_000), "expected at most 50 megapixels, came many more"),
    ],
    ids=["empty", "page", "drawing", "gif", "cut", "large", "bomb", "huge bomb"],
)
def test_what_is_no_picture_is_refused_in_one_line(content: bytes, problem: str) -> None:
    """A page, a drawing that can hold programs, half a file, too many bytes, too many pixels."""
    for use in (picture.photo, picture.logo):
        with pytest.raises(PictureError) as caught:
            use(content)
        assert problem in caught.value.message
        assert "\n" not in caught.value.message


@settings(max_examples=60)
@given(at=st.integers(0, 2000), byte=st.integers(0, 255))
def test_a_damaged_picture_is_a_picture_or_refused(at: int, byte: int) -> None:
    """No file, however it is damaged, raises anything else."""
    content = bytearray(encoded("JPEG", (40, 40)))
    content[at % len(content)] = byte
    try:
        made = picture.photo(bytes(content))
    except PictureError:
        return
    assert opened(made).size == (SIDE, SIDE)


@pytest.mark.parametrize("letters", ["MW", "I", "Q9", "?"])
def test_initials_are_white_letters_within_the_picture(letters: str) -> None:
    """Clients cut a circle out of it, so nothing is near the edges; and the same letters are the same bytes."""
    made = picture.initials(letters, picture.ground(7))
    assert made == picture.initials(letters, picture.ground(17))
    grey = opened(made).convert("L").point(lambda level: 255 if level > 200 else 0)
    box = grey.getbbox()
    assert box is not None
    half = opened(made).width / 2
    assert all((x - half) ** 2 + (y - half) ** 2 < half**2 for x in box[0::2] for y in box[1::2])


def test_every_ground_is_dark_enough_for_white_letters() -> None:
    """A contrast of 4.5 to 1, as WCAG 2 asks."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)

    assert all(1.05 / (light(picture.ground(number)) + 0.05) >= 4.5 for number in range(256))


def test_a_source_is_another_picture_for_another_use() -> None:
    """A file that is a photo and a logo is uploaded twice, because it is cut in two ways."""
    assert picture.digest_of("photo", b"x") != picture.digest_of("logo", b"x")
