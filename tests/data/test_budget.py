import os
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixel_files import pillow, png, raw_tiff, tiff

from frostline.config.schema import PrepareConfig
from frostline.data.budget import DECODE_LIMIT, Budget, decoding
from frostline.data.images import decode, decode_cost, quiet_decoders, read_bytes
from frostline.data.inspection import inspect_records
from frostline.data.parallel import map_files
from frostline.data.sources import Record
from frostline.errors import ImageError

LIMITS = {"min_side": 1, "max_pixels": 178_956_970}
TILE = {256: 16, 257: 16, 259: 1, 262: 1, 277: 1, 322: 65520, 323: 65520, 324: 8, 325: 9}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 14), min_size=1, max_size=20))
def test_threads_never_hold_more_than_the_budget_but_a_larger_one_alone(costs: list[int]) -> None:
    budget, held, seen, lock = Budget(10), [], [], threading.Lock()

    def work(cost: int) -> None:
        with budget.take(cost):
            with lock:
                held.append(cost)
                seen.append(list(held))
            time.sleep(0.0005)
            with lock:
                held.remove(cost)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, costs))
    assert all(sum(one) <= 10 or [cost for cost in one if cost] == [max(one)] for one in seen)
    assert len(seen) == len(costs)


def test_a_failure_gives_back_what_it_held() -> None:
    def fail(_: int) -> None:
        raise ImageError("unreadable", "on purpose")

    for _ in range(3):
        with pytest.raises(ImageError, match="on purpose"):
            list(map_files(fail, range(4), "Failing", lambda _: DECODE_LIMIT))
    with decoding.take(2 * DECODE_LIMIT):
        pass


def header_only(width: int, height: int, kind: int, bits: int = 8) -> bytes:
    return png((width, height), bits, kind, b"", *([(b"PLTE", bytes(768))] if kind == 3 else []))


@pytest.mark.parametrize(
    ("data", "per_pixel"),
    [
        (header_only(10_000, 10_000, 3), 8),
        (header_only(10_000, 10_000, 2, 16), 12),
        (pillow(np.zeros((2000, 2000), np.uint8), "JPEG", "L"), 5),
        (pillow(np.zeros((2000, 2000), np.uint8), "JPEG", "RGB", progressive=True), 14),
        (tiff(np.zeros((2000, 2000), np.float32), compression="zlib"), 12),
        (tiff(np.zeros((2000, 2000, 3), np.float64), "rgb", compression="zlib"), 52),
    ],
    ids=["palette", "rgb16", "jpeg", "progressive", "float", "float64 rgb"],
)
def test_cost_is_known_from_the_header(data: bytes, per_pixel: int, tmp_path: Path) -> None:
    with quiet_decoders():
        cost = decode_cost(data)
        (tmp_path / "file").write_bytes(data)
        assert decode_cost(tmp_path / "file") == cost
        pixels = 10**8 if per_pixel in (8, 12) and len(data) < 2000 else 4 * 10**6
        assert cost == pytest.approx(pixels * per_pixel + len(data), rel=0.1, abs=9_000_000)


@pytest.mark.parametrize(
    "data",
    [
        header_only(13_000, 13_000, 6, 16),
        header_only(13_400, 13_400, 0),
        raw_tiff(TILE | {258: 8}, b"\1" * 9),
        raw_tiff(TILE | {258: 16}, b"\1" * 9),
    ],
    ids=["samples", "pixels", "tile", "wide tile"],
)
def test_what_costs_too_much_is_refused_undecoded(data: bytes) -> None:
    with (
        quiet_decoders(),
        pytest.raises(ImageError, match=r"would take .* GB of memory, where 1.5 GB|at most 178956970"),
    ):
        decode(data, **LIMITS)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("name", ["palette.png", "rgba.png", "rgb16.tif", "a.webp"])
def test_the_peak_stays_below_the_cost(name: str, tmp_path: Path) -> None:
    picture = np.add.outer(np.arange(2000), np.arange(2500)).astype(np.uint8)
    colour = np.dstack([picture, picture.T.reshape(2000, 2500), 255 - picture])
    file = tmp_path / name
    file.write_bytes(
        {
            "palette.png": lambda: pillow(picture, "PNG", "P", transparency=bytes(range(256))),
            "float.tif": lambda: tiff((picture / 255).astype("f4"), compression="zlib"),
            "rgba.png": lambda: pillow(np.dstack([colour, picture]), "PNG", "RGBA", compress_level=1),
            "rgb16.tif": lambda: tiff(colour.astype("u2") * 257, "rgb", compression="lzw"),
            "progressive.jpg": lambda: pillow(colour, "JPEG", progressive=True),
            "a.webp": lambda: pillow(colour, "WEBP", method=0),
        }[name]()
    )
    script = (
        "import sys, imagecodecs; from pathlib import Path; from frostline.data.images import decode, decode_cost\\n"
        "imagecodecs.lzw_decode\\n"
        "peak = lambda: int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1]) * 1024\\n"
        "file = Path(sys.argv[1]); cost, before = decode_cost(file), peak()\\n"
        "decode(file, min_side=1, max_pixels=10**8); print(cost, peak() - before)"
    ).replace("\\n", "\n")
    out = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True).stdout
    cost, peak = map(int, out.split())
    assert peak <= cost <= max(3 * peak, peak + 40_000_000)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "sparse.jpg"
    with file.open("wb") as stream:
        stream.write(b"\xff\xd8\xff")
        stream.truncate(3 * 10**9)
    with pytest.raises(ImageError, match=r"too_large: .*3.0 GB of memory"):
        read_bytes(file)
    assert decode_cost(file) == 3 * 10**9


def test_junk_in_a_jpeg_header_is_not_looked_through_byte_by_byte() -> None:
    whole = pillow(np.zeros((20, 20), np.uint8), "JPEG", "L")
    few, many = (whole[:20] + bytes(count) + whole[20:] for count in (1000, 40_000_000))
    with quiet_decoders():
        assert decode(few, **LIMITS).size == (20, 20)
        with pytest.raises(ImageError, match="unreadable: more than 65536 bytes between the segments"):
            decode(many, **LIMITS)
        assert decode_cost(many) == len(many)


def test_junk_in_a_gif_is_not_looked_through_byte_by_byte() -> None:
    whole = pillow(np.zeros((20, 20), np.uint8), "GIF", "P")
    start = whole.index(b"\x2c")
    comments = b"\x21\xfe" + b"\1x" * 3_000_000 + b"\0"
    with quiet_decoders():
        assert decode(whole[:start] + bytes(100) + whole[start:], **LIMITS).size == (20, 20)
        for junk in (b"x" * 5_000_000, bytes(5_000_000), comments):
            data = whole[:start] + junk + whole[start:]
            with pytest.raises(ImageError, match="unreadable: a GIF of which too much means nothing"):
                decode(data, **LIMITS)
            assert decode_cost(data) == len(data)


@pytest.mark.parametrize("form", ["WEBP", "AVIF"])
def test_of_a_large_file_only_the_head_is_read_for_its_cost(form: str, tmp_path: Path) -> None:
    file, data = tmp_path / "large", pillow(np.zeros((200, 200), np.uint8), form)
    file.write_bytes(data)
    with quiet_decoders():
        assert decode_cost(file) == decode_cost(data) < 10_000_000
        with file.open("ab") as stream:
            stream.truncate(1_000_000_000)
        assert decode_cost(file) in (
            DECODE_LIMIT,
            (3 if form == "WEBP" else 1) * (10**9 - len(data)) + decode_cost(data),
        )


def test_cost_never_raises(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert decode_cost(tmp_path / "pipe") == decode_cost(tmp_path / "absent") == decode_cost(tmp_path / "a\0b") == 0
    assert decode_cost(b"no picture") == 10
    assert decode_cost(pillow(np.zeros((20, 20), np.uint8), "BMP")[:40]) == 40


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("form", ["WEBP", "PNG", "GIF"])
def test_what_a_file_holds_beside_its_picture_is_part_of_its_cost(form: str, tmp_path: Path) -> None:
    size = 60_000_000
    data = pillow(np.arange(1024, dtype=np.uint8).reshape(32, 32), form)
    if form == "PNG":
        data = data[:33] + size.to_bytes(4) + b"tEXt" + b"k\0" + b"a" * (size - 2) + bytes(4) + data[33:]
    elif form == "WEBP":
        data = data[:4] + (len(data) + size).to_bytes(4, "little") + data[8:] + b"JUNK" + size.to_bytes(4, "little")
    file = tmp_path / "file"
    file.write_bytes(data + b"a" * size + bytes(100))
    script = (
        "import sys; from pathlib import Path; from frostline.data.images import decode, decode_cost\n"
        "peak = lambda: int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1]) * 1024\n"
        "file = Path(sys.argv[1]); cost, before = decode_cost(file.read_bytes()), peak()\n"
        "Path('/proc/self/clear_refs').write_text('5')\n"
        "rest = int(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1]) * 1024\n"
        "decode(file, min_side=1, max_pixels=10**8); print(cost, peak() - rest)"
    )
    out = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True).stdout
    cost, peak = map(int, out.split())
    assert peak <= cost


def test_files_that_cannot_be_used_are_not_kept_in_memory(tmp_path: Path) -> None:
    size = 20_000_000
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"no picture" + bytes(size))
    records = [Record(f"{number}.png", "a") for number in range(5)]
    tracemalloc.start()
    found = inspect_records(records, tmp_path, PrepareConfig())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [result.reason for _, result in found if isinstance(result, ImageError)] == ["unreadable"] * 5
    assert held < size
