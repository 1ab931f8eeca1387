"""What decoding costs, and how many pictures are one turn's work."""

from io import BytesIO

from PIL import Image

from frostline.serving.portions import Picture, decoding_work, portions


def test_pictures_stay_in_order_and_a_turn_is_never_much_work():
    pictures = [Picture(b"", cost) for cost in (*[10**6] * 40, 10**9, 5, 10**8, 10**8)]
    parts = list(portions(pictures, 32))
    assert [len(part) for part in parts] == [32, 8, 1, 2, 1]
    assert [picture for part in parts for picture in part] == pictures
    assert [len(part) for part in portions(pictures[:20], 8)] == [8, 8, 4]


def test_no_pictures_are_no_turn():
    assert list(portions([], 32)) == []


def test_the_scans_of_a_jpeg_are_work():
    file = BytesIO()
    Image.new("L", (100, 100), 90).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content[content.rfind(b"\xff\xda") : -2]
    bomb = content[:-2] + last * 1000 + content[-2:]
    assert 0 < decoding_work(content) < decoding_work(bomb) / 99


def test_what_is_no_picture_is_as_much_work_as_its_size():
    assert (decoding_work(b"text"), decoding_work(b"")) == (4, 0)
