"""Tables of addresses, and a real server that has some of the pictures."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from frostline.config.schema import CsvConfig
from frostline.data.sources import Source, downloads, open_source
from frostline.data.sources.digests import Digests
from frostline.data.sources.places import files_at
from frostline.errors import DataError

ASKED: list[str] = []


class Pictures(BaseHTTPRequestHandler):
    """Answers with the path itself; /gone is not there, /large is, and /loop leads to itself."""

    def do_GET(self) -> None:
        ASKED.append(self.path)
        if self.path.startswith("/gone"):
            self.send_error(404)
        elif self.path.startswith("/loop"):
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
        else:
            content = bytes(300_000) if self.path.startswith("/large") else self.path.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    ASKED.clear()


def table(*addresses: str, download: bool = True) -> Source:
    Path("birds.csv").write_text("image,label\n" + "".join(f'"{one}",bird\n' for one in addresses))
    return open_source(CsvConfig(source="csv", path=Path("birds.csv"), download=download))


def test_pictures_are_downloaded_once(server: str, tmp_path: Path) -> None:
    source = table(f"{server}/a/1.jpg", f"{server}/b/1.jpg?size=9", f"{server}/ü ö.png", f"{server}/a/1.jpg")
    assert source.to_fetch() == "3 pictures will be downloaded into data/raw/birds-downloads"
    names = [record.image for record in source.records()]
    assert [name[16:] for name in names] == ["-1.jpg", "-1.jpg", "-ü_ö.png", "-1.jpg"]
    assert len(set(names)) == 3
    assert (source.root / names[1]).read_bytes() == b"/b/1.jpg?size=9"
    assert sorted(ASKED) == ["/%C3%BC%20%C3%B6.png", "/a/1.jpg", "/b/1.jpg?size=9"]
    assert source.to_fetch() == ""
    state = source.state(Digests(tmp_path / "memory"))
    assert len(ASKED) == 3
    source = table(f"{server}/a/1.jpg", f"{server}/c.jpg")
    assert source.state(Digests(tmp_path / "memory")) != state
    assert ASKED[3:] == ["/c.jpg"]


def test_what_cannot_be_had_is_told_once_and_left_out(
    server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_BYTES", 200_000)
    addresses = [f"{server}/{name}" for name in ("1.jpg", "gone.jpg", "large.jpg", "loop")]
    source = table(*addresses, "http://127.0.0.1:1/no.jpg", "http://[broken/x.jpg", "http://exa mple:port/x.jpg")
    there = [(source.root / record.image).exists() for record in source.records()]
    assert there == [True, *[False] * 6]
    failures = (source.root / "failures.csv").read_text()
    assert "6 pictures of 7 could not be downloaded" in capsys.readouterr().err
    assert f"{server}/gone.jpg,HTTP 404 Not Found" in failures
    assert f"{server}/large.jpg,HTTP answer of more than 0 MB" in failures
    assert "/no.jpg,[Errno 111] Connection refused" in failures
    asked = len(ASKED)
    source.records()
    assert len(ASKED) == asked
    (source.root / "failures.csv").unlink()
    source.records()
    assert len(ASKED) > asked
    assert not list(source.root.glob("*.part"))


def test_without_a_connection_nothing_is_taken_for_gone() -> None:
    source = table("http://127.0.0.1:1/a.jpg", "http://user:secret@127.0.0.1:1/b.jpg")
    with pytest.raises(DataError, match=r"None of 2 pictures could be downloaded: http://127.*refused\. Mend the conn"):
        source.records()
    assert not (source.root / "failures.csv").exists()


@pytest.mark.parametrize(
    ("cell", "download", "message"),
    [
        (
            "http://x.org/a.jpg",
            False,
            r"line 2, has the image http://x.org/a.jpg, which is an address\. .*download: true",
        ),
        ("s3://bucket/a.jpg", False, r"s3://bucket/a.jpg, which is an address\. Expected the path of a file on this"),
        ("data:image/png;base64,AAAA", False, r"which is an address"),
        ("s3://bucket/a.jpg", True, r"line 2, has the image 's3://bucket/a.jpg'\. With download: true each must be an"),
        ("photos/a.jpg", True, r"line 2, has the image 'photos/a.jpg'\. With download: true each must be an address"),
        ("", True, r"line 2, has the image ''"),
    ],
)
def test_other_addresses_and_files_are_refused(cell: str, download: bool, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table(cell, download=download).records()
    assert not Path("data").exists()


def test_prediction_downloads_nothing(server: str) -> None:
    table(f"{server}/a.jpg")
    with pytest.raises(DataError, match="which is an address"):
        files_at([Path("birds.csv")])
    assert not ASKED
