import io
import logging
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from pixel_files import OUTCOMES, outcome

from frostline.data.images import decode, load_square, quiet_decoders, to_square
from frostline.errors import ImageError

LIMITS = {"min_side": 16, "max_pixels": 1_000_000}


def ramp(width: int = 64, height: int = 48) -> np.ndarray:
    """Smooth in all channels, so that lossy formats come close, and with no symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 / (width - 1), y * 255 / (height - 1), (x + y) % 256], axis=-1).astype(np.uint8)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(decode(data, **LIMITS)).astype(int)


def reason(data: bytes | Path) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, **LIMITS)
    return caught.value.reason


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_their_very_pixels(file_format: str) -> None:
    assert np.array_equal(pixels(encoded(Image.fromarray(ramp()), file_format)), ramp())


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "JPEG2000", "AVIF"])
def test_lossy_formats_come_close(file_format: str) -> None:
    assert np.abs(pixels(encoded(Image.fromarray(ramp()), file_format, quality=95)) - ramp()).mean() < 6


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_divided_by_257(file_format: str) -> None:
    values = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    got = pixels(encoded(Image.fromarray(values), file_format))
    assert np.array_equal(got[..., 0], np.rint(values / 257))
    assert np.array_equal(got[..., 0], got[..., 2])


@pytest.mark.parametrize(
    ("top", "expected"), [(1.0, 255), (200.0, 200), (65535.0, 255), (51400.0, 200), (1e6, 255)], ids=str
)
def test_floats_take_the_smallest_range_that_holds_them(top: float, expected: int) -> None:
    values = np.zeros((32, 32), dtype=np.float32)
    values[16:] = top
    got = pixels(encoded(Image.fromarray(values), "TIFF"))
    assert got.min() == 0
    assert got.max() == expected


def test_negative_and_missing_floats() -> None:
    values = np.full((32, 32), -1.0, dtype=np.float32)
    values[16:], values[0] = 3.0, np.nan
    got = pixels(encoded(Image.fromarray(values), "TIFF"))
    assert got[0].max() == got[1].max() == 0
    assert got[31].min() == 255


def test_float_image_without_any_number_is_unreadable() -> None:
    assert reason(encoded(Image.fromarray(np.full((32, 32), np.nan, dtype=np.float32)), "TIFF")) == "unreadable"


def test_transparency_is_laid_over_white() -> None:
    image = np.zeros((32, 32, 4), dtype=np.uint8)
    image[16:, :, 3] = 255
    image[8:16, :, 3] = 128
    got = pixels(encoded(Image.fromarray(image), "PNG"))
    assert (got[0], got[10], got[20]) == pytest.approx((255, 127, 0), abs=1)


def test_transparent_palette_is_laid_over_white() -> None:
    image = Image.fromarray(np.repeat([0, 1], 512).reshape(32, 32).astype(np.uint8), mode="P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    got = pixels(encoded(image, "GIF", transparency=0))
    assert got[0, 0].tolist() == [255, 255, 255]
    assert got[31, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"])
def test_every_mode_of_a_tiff_becomes_rgb(mode: str) -> None:
    source = Image.fromarray(ramp())
    if mode == "LAB":
        image = ImageCms.profileToProfile(
            source, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        assert np.abs(pixels(encoded(image, "TIFF")) - ramp()).mean() < 4
    else:
        image = decode(encoded(source.convert(mode), "TIFF"), **LIMITS)
        assert (image.mode, image.size) == ("RGB", (64, 48))
        assert 100 < np.asarray(image).mean() < 155


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_exif_orientation_is_applied_once(orientation: int, file_format: str) -> None:
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: np.rot90,
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](ramp())
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), file_format, exif=exif)
    assert np.array_equal(pixels(data), ramp())


def test_damaged_exif_does_not_spoil_the_pixels() -> None:
    data = encoded(Image.fromarray(ramp()), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff")
    with quiet_decoders():
        assert np.array_equal(pixels(data), ramp())


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("L", (32, 32), value) for value in (10, 200, 90)]
    assert pixels(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])).max() == 10


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_cut_off_files_are_refused(file_format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), file_format)
    assert reason(data[: len(data) // 2]) in {"truncated", "unreadable"}
    if file_format in {"PNG", "JPEG", "BMP"}:
        assert reason(data[: len(data) // 2]) == "truncated"


def bomb(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds nearly nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [1001, 12_000, 60_000])
def test_pixel_limit_is_checked_before_decoding(side: int) -> None:
    with quiet_decoders():
        assert reason(bomb(side, side)) == "too_many_pixels"  # decoded, it would be truncated


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"not a picture", "unreadable"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n", "unreadable"),
        (encoded(Image.new("RGB", (200, 15)), "PNG"), "too_small"),
    ],
)
def test_reasons(data: bytes, expected: str) -> None:
    assert reason(data) == expected


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_raise_nothing_but_image_errors(data: st.DataObject) -> None:
    file_format = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "JPEG2000"]))
    content = bytearray(encoded(Image.fromarray(ramp(20, 20)), file_format))
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(bytes(content), **LIMITS) in OUTCOMES


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "up").symlink_to(tmp_path)
    found = {name: reason(tmp_path / name) for name in ("absent", "broken", "self", "up")}
    assert found == {"absent": "missing", "broken": "missing", "self": "link_loop", "up": "link_loop"}
    assert reason(tmp_path) == "unreadable"


def test_quiet_decoders_is_local() -> None:
    before, levels = list(warnings.filters), [logging.getLogger(name).level for name in ("PIL", "tifffile")]
    with quiet_decoders():
        assert warnings.filters != before
        assert not logging.getLogger("PIL.TiffImagePlugin").isEnabledFor(logging.ERROR)
    assert warnings.filters == before
    assert [logging.getLogger(name).level for name in ("PIL", "tifffile")] == levels


@pytest.mark.parametrize(("width", "height"), [(64, 32), (32, 64), (300, 7), (50, 50)])
def test_resizes(width: int, height: int) -> None:
    image = Image.fromarray(np.full((height, width, 3), 200, dtype=np.uint8))
    stretched, cropped, padded = (to_square(image, 20, how) for how in ("stretch", "crop", "pad"))
    assert {array.shape for array in (stretched, cropped, padded)} == {(20, 20, 3)}
    assert stretched.min() == cropped.min() == 200
    kept = 400 * min(width, height) / max(width, height)
    assert (padded[..., 0] == 200).sum() == pytest.approx(kept, abs=12)


def test_crop_takes_the_middle() -> None:
    image = np.zeros((30, 90, 3), dtype=np.uint8)
    image[:, 30:60] = 255
    assert to_square(Image.fromarray(image), 30, "crop").min() == 255


def test_resizing_is_antialiased() -> None:
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    small = to_square(Image.fromarray(stripes), 32, "stretch")
    assert np.abs(small.astype(int) - 127).max() <= 6


def test_path_and_bytes_give_the_same_pixels(solar_cells: list[Path]) -> None:
    file = solar_cells[0]
    both = [load_square(what, 96, "stretch", **LIMITS) for what in (file, file.read_bytes())]
    assert np.array_equal(*both)
    assert both[0].dtype == np.uint8
