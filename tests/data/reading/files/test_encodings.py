"""Texts that are not UTF-8: asked for, found by their bytes, and said."""

import gzip
import subprocess

import pytest

from alsolike.data.reading.files.text_files import open_text
from alsolike.data.reading.read import read
from alsolike.errors import DataError, SettingError

TEXTS = ("user,item\nann,m1\nbob,m2\n", "user,item\nЖюли,фильм\nb,m2\n", "user,item\n甲,乙\nb,c\n")


def users(path, content, **options):
    path.write_bytes(content)
    found, report = read(path, user="user", item="item", **options)
    return list(found.users), report


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("packed", [False, True])
def test_wide_encodings_are_found(text, packed, tmp_path):
    path = tmp_path / "l.csv"
    for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        content = text.encode(name)
        path.write_bytes(gzip.compress(content) if packed else content)
        file = open_text(path, tmp_path)
        assert "".join(file.lines()) == text
        assert file.encoding == name.upper().replace("-LE", "LE").replace("-BE", "BE")
        assert bool(file.warnings) is (len(name) > 6)  # a mark at the start is no guess
        printed = subprocess.run(["sh", "-c", file.printed], capture_output=True, check=True)
        assert printed.stdout.decode() == text


def test_wide_encodings_are_read(tmp_path):
    found, report = users(tmp_path / "l.csv", TEXTS[0].encode("utf-16"))
    assert found == ["ann", "bob"]
    assert dict(report.facts())["encoding"] == "UTF-16"


@pytest.mark.parametrize(
    ("encoding", "called"), [("latin-1", "Latin-1"), ("cp1252", "Windows-1252")]
)
def test_single_bytes_are_found_and_said(encoding, called, tmp_path):
    name = "café" if encoding == "latin-1" else "“café” … 5 €"
    content = f"user,item\nann,m1\n{name},m2\n".encode(encoding)
    found, report = users(tmp_path / "l.csv", content)
    assert found == ["ann", name]
    assert report.encoding == called
    [warning] = report.warnings
    assert f"not UTF-8 from line 3 on; read as {called}: '{name}'." in warning
    found, report = users(tmp_path / "l.csv", content, encoding=encoding)
    assert found == ["ann", name]
    assert not report.warnings


def test_utf_8_that_is_read_as_another_encoding_is_said(tmp_path):
    for content, said in (
        ("user,item\nann,m1\ncafé,m2\n", ["such as 'cafÃ©', but all of it is UTF-8"]),
        ("user,item\nann,m1\n", []),
    ):
        _, report = users(tmp_path / "l.csv", content.encode(), encoding="latin-1")
        assert [one in warning for one, warning in zip(said, report.warnings, strict=True)] == [
            True for _ in said
        ]


def test_any_codec_of_python_can_be_asked_for(tmp_path):
    for name in ("cp1251", "shift_jis", "koi8-r", "gb18030", "utf-8-sig", "UTF8"):
        text = "ж" if name != "shift_jis" else "日本"
        assert users(tmp_path / "l.csv", f"user,item\n{text},m\n".encode(name), encoding=name)[
            0
        ] == [text]


def test_lines_keep_their_numbers_and_ends(tmp_path):
    path = tmp_path / "l.csv"
    content = "user,item\r\ncafé\x85,m\r\n\r\nann\r\n".encode("latin-1")
    with pytest.raises(DataError, match=r"l\.csv, line 4: 2 columns expected, 1 found"):
        users(path, content)
    with pytest.raises(DataError, match=r"l\.csv, line 3: byte 0x81 is not of .*'cp1252'"):
        users(path, b"user,item\na,b\nc,\x81\n", encoding="cp1252")
    with pytest.raises(DataError, match=r"line 2: .* is not of the encoding 'utf-16'"):
        users(path, "user,item\nab,m\n".encode("utf-16")[:-1], encoding="utf-16")


def test_utf_8_with_broken_lines_stays_that(tmp_path):
    good = "".join(f"ü{at},m\n" for at in range(9)).encode()
    for broken in (b"user,item\n\xfc,m\n" + good, b"user,item\n" + good + b"caf\xc3"):
        with pytest.raises(DataError, match=r"is not UTF-8.*encoding='latin-1'"):
            users(tmp_path / "l.csv", broken)
    rejects = tmp_path / "r.csv"
    found, report = users(
        tmp_path / "l.csv", b"user,item\n\xfc,m\n" + good, on_error="reject", rejects=rejects
    )
    assert (len(found), report.rejected) == (9, 1)


def test_bytes_that_are_no_text_are_no_latin_1(tmp_path):
    with pytest.raises(DataError, match="is not UTF-8"):
        users(tmp_path / "l.csv", b"user,item\n\x01\xff\x02,m\n")


def test_what_is_no_encoding_and_no_text(tmp_path):
    for name in ("latn-1", "rot13", "hex", ""):
        with pytest.raises(SettingError, match="the name of a text encoding expected"):
            read(tmp_path / "l.csv", user="user", item="item", encoding=name)
    with pytest.raises(SettingError, match="encoding= is for text files"):
        read(__import__("pandas").DataFrame(), user="user", item="item", encoding="latin-1")
