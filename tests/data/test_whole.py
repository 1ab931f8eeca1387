"""Files whose end became zeros, and pictures whose end is black."""

import io

import numpy as np
import pytest
from PIL import Image
from pixel_files import netpbm, tiff

from frostline.data.images import decode, quiet_decoders
from frostline.data.whole import check_whole
from frostline.errors import ImageError

LIMITS = {"min_side": 1, "max_pixels": 1_000_000}
Y, X = np.mgrid[0:97, 0:131]
NOISE = np.random.default_rng(0).normal(0, 8, (97, 131, 3))
PICTURE = np.clip(np.stack([X + 60, Y * 2, 255 - X], axis=-1) + NOISE, 1, 255).astype(np.uint8)
GREY = PICTURE[..., 0]


def saved(picture: np.ndarray, form: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(file, form, **options)
    return file.getvalue()


FILES = {
    "png": saved(PICTURE, "PNG"),
    "jpeg": saved(PICTURE, "JPEG"),
    "progressive jpeg": saved(PICTURE, "JPEG", progressive=True),
    "gif": saved(PICTURE, "GIF"),
    "webp": saved(PICTURE, "WEBP"),
    "lossless webp": saved(PICTURE, "WEBP", lossless=True),
    "jpeg 2000": saved(PICTURE, "JPEG2000"),
    "jpeg 2000 codestream": saved(PICTURE, "JPEG2000", no_jp2=True),
    "avif": saved(PICTURE, "AVIF"),
    "bmp": saved(PICTURE, "BMP"),
    "grey bmp": saved(PICTURE, "BMP", "L"),
    "ppm": saved(PICTURE, "PPM"),
    "pgm": saved(PICTURE, "PPM", "L"),
    "pbm": saved(PICTURE, "PPM", "1"),
    "pfm": saved(PICTURE, "PPM", "F"),
    "pbm as text": b"P1 131 97\n" + b"".join(b"%d" % (pixel > 128) for pixel in GREY.ravel()),
    "ppm as text": netpbm(3, PICTURE, 255),
    "pgm as text": netpbm(2, GREY, 10_000),
    "tiff": saved(PICTURE, "TIFF"),
    "tiff lzw": saved(PICTURE, "TIFF", compression="tiff_lzw"),
    "tiff deflate": saved(PICTURE, "TIFF", compression="tiff_deflate"),
    "tiff packbits": saved(PICTURE, "TIFF", compression="packbits"),
    "tiff jpeg": saved(PICTURE, "TIFF", compression="jpeg"),
    "tiff fax": saved(PICTURE, "TIFF", "1", compression="group4"),
    "tiff lzw, tags first": tiff(PICTURE, "rgb", compression="lzw", rowsperstrip=9),
    "tiff planar": tiff(PICTURE, "rgb", True),
    "tiff tiled": tiff(PICTURE[:96, :128], "rgb", tile=(32, 32)),
    "tiff of 16 bits": tiff(GREY.astype("u2") * 16),
    "tiff of 16 bits, deflate": tiff(GREY.astype("u2") * 257, compression="zlib"),
    "tiff of floats, big-endian": tiff((GREY / 255).astype("f4"), byteorder=">", rowsperstrip=4),
    "bigtiff": tiff(PICTURE, "rgb", bigtiff=True),
}


def zeroed(data: bytes, share: float) -> bytes:
    """`data`, of which only this share arrived."""
    kept = int(len(data) * share)
    return data[:kept] + bytes(len(data) - kept)


def reason(data: bytes) -> str | None:
    try:
        with quiet_decoders():
            decode(data, **LIMITS)
    except ImageError as error:
        return error.reason
    return None


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_whole_also_with_zeros_after_it(name: str) -> None:
    assert reason(FILES[name]) is None
    assert reason(FILES[name] + bytes(8192)) is None


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.1371, 0.3377, 0.5719, 0.7641, 0.9017])
def test_zeros_in_place_of_the_rest_are_found(name: str, share: float) -> None:
    assert reason(zeroed(FILES[name], share)) == "truncated"


def test_the_detail_says_what_was_seen_and_what_to_do() -> None:
    data = zeroed(FILES["webp"], 0.5)
    lost = len(data) - len(data.rstrip(b"\0"))
    with pytest.raises(ImageError, match=f"its last {lost} of {len(data)} bytes are zeros.*so copy it again"):
        decode(data, **LIMITS)


def black_below(rows: int, left: int = 0) -> np.ndarray:
    """The picture, black from `rows` on, and in those above right of a slope that begins at the column `left`."""
    picture = PICTURE.copy()
    picture[rows:] = 0
    if left:
        picture[left + rows - Y < X] = 0
    return picture


@pytest.mark.parametrize("rows", [0, 130, 700])
def test_plain_areas_are_no_loss_in_webp(rows: int) -> None:
    picture = np.full((1400, 1300, 3), 255, dtype=np.uint8)
    picture[:rows] = np.random.default_rng(0).integers(0, 256, (rows, 1300, 3))
    data = saved(picture, "WEBP")
    assert data.endswith(bytes(16))
    check_whole(data)


@pytest.mark.parametrize("form", ["BMP", "PPM", "TIFF"])
@pytest.mark.parametrize(
    "picture",
    [
        black_below(45),
        black_below(80),
        black_below(60, left=30),
        np.where((abs(Y - 40) < 25)[..., None] & (abs(X - 65) < 30)[..., None], PICTURE, 0).astype(np.uint8),
        np.where((np.hypot(Y - 40, X - 65) < 35)[..., None], PICTURE, 0).astype(np.uint8),
        np.zeros_like(PICTURE),
    ],
    ids=["letterbox", "bar", "slope", "card", "round", "all black"],
)
def test_black_at_the_end_of_a_raw_picture_is_black(form: str, picture: np.ndarray) -> None:
    for turned in (picture, picture[::-1]):  # BMP begins with the last row
        assert reason(saved(turned, form)) is None


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("shade", [0, 255])
def test_plain_pictures_are_whole(form: str, shade: int) -> None:
    assert reason(saved(np.full((200, 200, 3), shade, dtype=np.uint8), form)) is None
    assert reason(saved(black_below(10), form)) is None
