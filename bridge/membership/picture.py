"""Pictures of people and rooms, made the size and kind that clients show. Pure: bytes in, bytes out.

What comes from outside is never passed on as it is: it is decoded, made small and square, and written anew, so that
nothing is in it but what is seen: no place where a photo was taken, no second file behind the first. It takes some
hundredths of a second, so whoever serves others meanwhile calls this in a thread.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from bridge.errors import PictureError

LARGEST_FILE: Final = 8 * 1024 * 1024
"""Bytes of a picture as it comes."""
LARGEST_AREA: Final = 50_000_000
"""Pixels; a small file can unfold into very many."""
SIDE: Final = 512
"""Pixels of each side of what is made."""
LETTERS_SIDE: Final = 256
"""The same of initials, which have no more to show and are made for thousands at once."""
_KINDS: Final = ("PNG", "JPEG", "WEBP")
_COLOURS: Final = (
    "#1f5f99",
    "#7a3e9d",
    "#a63d40",
    "#2e6f40",
    "#8a5a00",
    "#00697a",
    "#5b4db0",
    "#9c2f6f",
    "#4d5d6c",
    "#6b5a1f",
)
"""Each dark enough for white letters: a contrast of 4.5 to 1 at least (WCAG 2, 1.4.3)."""


def photo(content: bytes) -> bytes:
    """Return a photo as a square JPEG, cut at the longer sides; raise `PictureError` when it is none."""
    whole = _read(content).convert("RGBA")
    paper = Image.new("RGBA", whole.size, "white")
    paper.alpha_composite(whole)
    return _written(ImageOps.fit(paper.convert("RGB"), (SIDE, SIDE)), "JPEG")


def logo(content: bytes) -> bytes:
    """Return a picture as a square PNG, whole, with clear margins; raise `PictureError` when it is none."""
    return _written(ImageOps.pad(_read(content).convert("RGBA"), (SIDE, SIDE), color=(0, 0, 0, 0)), "PNG")


def ground(number: int) -> str:
    """Return the colour that any number chooses."""
    return _COLOURS[number % len(_COLOURS)]


def initials(letters: str, colour: str) -> bytes:
    """Return white letters on a ground of that colour as a PNG."""
    side = LETTERS_SIDE
    drawn = Image.new("RGB", (side, side), colour)
    font = ImageFont.load_default(size=side * (0.5 if len(letters) < 2 else 0.42))
    ImageDraw.Draw(drawn).text((side / 2, side / 2), letters, fill="white", font=font, anchor="mm")
    return _written(drawn, "PNG")


def digest_of(use: str, source: bytes) -> str:
    """Return what tells sources apart, for one use: the same source drawn in another way is another picture."""
    return hashlib.sha256(use.encode() + b"\0" + source).hexdigest()


def _read(content: bytes) -> Image.Image:
    """Return the picture, turned as it is to be seen."""
    if len(content) > LARGEST_FILE:
        raise PictureError(f"expected at most {LARGEST_FILE // 2**20} MiB, came {len(content) / 2**20:.1f}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own bound is the stricter one; Pillow warns of odd metadata too
            found = Image.open(io.BytesIO(content), formats=_KINDS)
            width, height = found.size
            if width * height > LARGEST_AREA:
                raise PictureError(f"expected at most {LARGEST_AREA // 10**6} megapixels, came {width} x {height}")
            found.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded no larger than is needed
            found.load()
            return ImageOps.exif_transpose(found)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(f"expected at most {LARGEST_AREA // 10**6} megapixels, came many more") from error
    except Exception as error:  # whatever a decoder stumbles on in a file that somebody has made for it
        raise PictureError("expected a picture (PNG, JPEG or WebP), came something else, or a damaged one") from error


def _written(made: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    made.save(out, kind, quality=88)
    return out.getvalue()
