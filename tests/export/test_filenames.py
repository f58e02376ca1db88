"""Ids as names of files: all differ, none is refused anywhere, and there is a way back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsolike.errors import SettingError
from alsolike.export.filenames import MOST_CHARACTERS, id_of, name_of, place_of

HOSTILE = [
    "../../x", "/etc/passwd", "a/b", "a\\b", "CON", "con", "Con", "nul", "com1", "aux.json", ".",
    "..", "...", "", " ", "a ", "a", "A", "a.", "-rf", "~", "_", "_61", "id-a", "%2e%2e", "a\nb",
    "a\x00b", "ß", "ss", "é", "e\u0301", "\u202eabc", "🎸", "🎸" * 200, "x" * 116, "x" * 117,
    "x" * 118, "x" * 5000, "X" * 5000, "sha256-" + 64 * "0", "C:\\x", "a:b", "a*b", "<script>",
    "index", "\u0130", "\u0131", "K", "k", "\u212a", "\u017f",
]  # fmt: skip


def test_hostile_ids_have_harmless_names_that_differ_without_case() -> None:
    names = [name_of(one) for one in HOSTILE]
    assert len({name.casefold() for name in names}) == len(set(HOSTILE))
    for one, name in zip(HOSTILE, names, strict=True):
        assert re.fullmatch(r"(?:id|sha256)-[a-z0-9_-]*", name)
        assert len(name) <= MOST_CHARACTERS
        assert id_of(name) == (None if name.startswith("sha256-") else one)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_there_is_a_way_back(one: str) -> None:
    name = name_of(one)
    assert id_of(name) == one or name.startswith("sha256-")
    assert re.fullmatch(r"[0-9a-f]{2}/[a-z0-9_-]+", place_of(one))


@given(
    st.lists(st.text("aAbB_-/. Kk\u0130\u0131\u017f\u212a", max_size=4), unique=True, max_size=30)
)
def test_names_differ_where_ids_do(ids: list[str]) -> None:
    assert len({name_of(one).casefold() for one in ids}) == len(ids)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "id-A",
        "id-_6",
        "id-_61",
        "id-_ff",
        "id-a/b",
        "id-a\n",
        "sha256-0",
        f"id-{118 * 'x'}",
    ],
)
def test_names_that_no_id_has_are_refused(name: str) -> None:
    with pytest.raises(SettingError, match="The file name of an id expected"):
        id_of(name)


def test_folders_are_even() -> None:
    folders = [place_of(f"sku-{number}")[:2] for number in range(10_000)]
    assert len(set(folders)) == 256
    assert max(map(folders.count, set(folders))) < 3 * 10_000 / 256
