"""Columns of times: offsets are applied, and numbers that are no seconds are named."""

import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from alsolike.data.reading.cleaning.time_units import DAYS, DIGITS, LARGE
from alsolike.data.reading.read import read
from alsolike.errors import DataError

TEN = datetime(2024, 1, 2, 10, tzinfo=UTC).timestamp()
NOON = datetime(2014, 4, 7, 12, tzinfo=UTC)
# What may follow a time of day, and the hours and minutes that it is ahead.
OFFSETS = {
    "": 0, "Z": 0, " Z": 0, "z": 0, "UTC": 0, " UTC": 0, "GMT": 0, " GMT": 0,
    " -0500": -300, "-0500": -300, "-05:00": -300, " -05:00": -300, " -05": -300,
    " +02": 120, "+02": 120, " +02:00": 120, " +0530": 330, "+05:45": 345, " +0000 UTC": 0,
    " +0200 CEST": 120, " -1100": -660, " +14:00": 840,
}  # fmt: skip


def frame_of(times, library=pd):
    count = len(times)
    users = [f"u{number:03}" for number in range(count)]
    return library.DataFrame({"user": users, "item": ["x"] * count, "when": times})


def times_of(times, library=pd, **options):
    frame = frame_of(times, library)
    found, report = read(frame, user="user", item="item", timestamp="when", **options)
    return found.timestamps.tolist(), report


def message_of(times, **options):
    with pytest.raises(DataError) as caught:
        times_of(times, **options)
    return str(caught.value)


@pytest.mark.parametrize("between", ["T", " "])
@pytest.mark.parametrize(
    ("clock", "seconds"),
    [("10:00", 0), ("10:00:00", 0), ("10:00:07", 7), ("10:00:00.25", 0.25), ("10:00:00,5", 0.5)],
)
def test_offsets_are_applied_with_and_without_a_blank(between, clock, seconds):
    texts = [f"2024-01-02{between}{clock}{offset}" for offset in OFFSETS]
    found, report = times_of(texts)
    assert found == [TEN + seconds - 60 * ahead for ahead in OFFSETS.values()]
    assert report.warnings == ()


def test_times_with_offsets_in_a_file(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text(
        "email,sku,at\nann,m1,2024-01-02 05:00:00 -0500\nbob,m1,2024-01-02 12:00:00 +0200\n"
    )
    found, report = read(path, user="email", item="sku", timestamp="at")
    assert found.timestamps.tolist() == [TEN, TEN]
    times = "2024-01-02 10:00:00 to 2024-01-02 10:00:00 (UTC; read as ISO dates)"
    assert dict(report.facts())["times"] == times


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30", "2023-02-29 10:00:00 UTC", "2024-01-02 25:00:00 Z", "2024-01-02 10:61 +02",
        "2024-01-02 10:00:00 +25:00", "2024-01-02 10:00:00 +02:75", "2024-01-02 10:00:00 EST",
        "2024-01-02 10:00:00 +2", "2024-01-02Z", "2024-01-02 +02:00", "10:00:00 Z", "2024-1-2",
    ],
)  # fmt: skip
def test_what_is_no_moment_stays_an_error_with_its_row(text):
    message = message_of(["2024-01-02 10:00:00 Z", text])
    assert "row 2, column 'when': a time expected" in message
    assert repr(text) in message


@pytest.mark.parametrize("form", [int, str, float])
@pytest.mark.parametrize(
    ("number", "name", "written"),
    [
        (20140407, "days (yyyymmdd)", "2014-04-07"),
        (2014040710, "yyyymmddHH", "2014-04-07 10:00"),
        (201404071051, "yyyymmddHHMM", "2014-04-07 10:51"),
        (20140407105107, "yyyymmddHHMMSS", "2014-04-07 10:51:07"),
        (20140407105107250, "and milliseconds", "2014-04-07 10:51:07.250"),
    ],
)
def test_digits_run_together_are_named_and_the_way_out_is_right(form, number, name, written):
    # Milliseconds are beyond what a float tells apart.
    given = form(number) if number < 2**53 else str(number)
    message = message_of([given, given])
    assert name in message
    assert f"{number} as {written}." in message
    ((seconds, _), _) = times_of([written, written])
    day = datetime(2014, 4, 7, tzinfo=UTC).timestamp()
    assert day <= seconds < day + 86400
    asked = re.search("Pass time_format='(.*?)', which reads", message)
    assert bool(asked) is (number < 2**53)
    if asked:
        assert times_of([given, given], time_format=asked[1])[0] == [seconds, seconds]


def test_one_bad_day_among_digits_does_not_hide_what_they_are():
    numbers = [2014040710, 2014040711, 2014139999]
    assert "2 of 3 numbers of the column look like dates" in message_of(numbers)
    assert "row 2, column 'when'" in message_of([0, 20140407105100])


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("milliseconds since 1970", NOON.timestamp() * 1e3),
        ("microseconds since 1970", NOON.timestamp() * 1e6),
        ("nanoseconds since 1970", NOON.timestamp() * 1e9),
        (".NET ticks", NOON.timestamp() * 1e7 + 621_355_968_000_000_000),
        ("Windows file times", NOON.timestamp() * 1e7 + 116_444_736_000_000_000),
        ("microseconds since 1601", NOON.timestamp() * 1e6 + 11_644_473_600_000_000),
        ("serial days of Excel", 41736.5),
        ("Julian days", 2456755.0),
    ],
)
@pytest.mark.parametrize("form", [float, str])
def test_other_units_are_named_and_their_formula_is_right(name, number, form):
    given = form(number) if form is float else f"{number:.1f}".removesuffix(".0")
    message = message_of([given])
    assert name in message
    assert "2014-04-07 12:00:00" in message
    # Follow the message.
    [unit] = [scale for scale in (*LARGE, *DAYS) if scale.name == name]
    if unit.option:
        assert f"Pass time_unit={unit.option!r}" in message
        found, report = times_of([given], time_unit=unit.option)
        assert found == [pytest.approx(NOON.timestamp(), abs=1e-6)]
        assert dict(report.facts())["times"].endswith(f"(UTC; time unit {unit.option})")
        return
    formula = unit.formula
    assert formula in message
    seconds = eval(formula, {"column": number})  # noqa: S307 - our own text
    assert seconds == pytest.approx(NOON.timestamp(), abs=1e-3)
    assert times_of([seconds])[0] == [pytest.approx(NOON.timestamp(), abs=1e-3)]


def test_ticks_that_may_be_nanoseconds_are_called_both():
    message = message_of([635_324_646_600_000_000])
    assert (
        "nanoseconds since 1970. Pass time_unit='ns', which makes the largest 1990-02-18" in message
    )
    assert "or .NET ticks. Seconds are" in message
    assert "no unit known here" in message_of([5e25])


def test_seconds_beside_milliseconds_are_told_apart():
    message = message_of([1396872000, 1396872000000])
    assert "row 2" in message
    assert "Only 1 of 2 are such; leave the others." in message


@pytest.mark.parametrize(
    ("times", "named"),
    [
        ([1, 2, 3], ""),
        ([2013, 2014], "years"),
        ([16167, 16168], "days since 1970 (pass time_unit='days')"),
        ([388_020], "hours since 1970"),
        ([23_281_200], "minutes since 1970"),
        ([20200131, 20209931], ""),
        (pd.to_datetime([1396872000000]), ""),
        (["1970-01-01", "1970-01-02"], ""),
    ],
)
def test_times_of_1970_are_read_and_said(times, named):
    _, report = times_of(times)
    [warning] = report.warnings
    assert "all times, taken as seconds since 1970, lie from 1970-0" in warning
    assert named in warning
    assert f"warning         {warning}" in str(report)


@pytest.mark.parametrize(
    "times", [[978_300_760, 1_396_872_000], [1e9, 4e9], ["2014-04-07"], [0, 1_396_872_000]]
)
def test_plain_times_give_no_warning(times):
    assert times_of(times)[1].warnings == ()
    assert times_of(times, pl)[1].warnings == ()


def test_times_in_narrow_floats_have_been_rounded():
    _, report = times_of(np.array([1_396_872_000, 1_396_872_001], np.float32))
    assert "float32 are exact up to 16,777,216 seconds only" in report.warnings[0]


def test_each_run_of_digits_is_told_from_the_others():
    for place, kind in enumerate(DIGITS):
        digits = "20140407105107250"[: 8 + (0, 2, 4, 6, 9)[place]]
        assert kind.name.startswith("yyyymmdd")
        assert kind.name.split()[0] in message_of([int(digits)]).replace("days (", "(")
