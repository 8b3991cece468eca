"""The numeric view of a column and the way back: exact, legal, and silent, for every dtype."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dtypes import COLUMNS, COMPLETE
from hypothesis import given
from hypothesis import strategies as st

from emimpute.errors import ColumnError
from emimpute.kinds.numbers import (
    Origin,
    check_finite,
    from_numbers,
    is_numeric,
    missing,
    origin_of,
    summary,
    to_numbers,
)

VALUES = np.array([3.0, np.nan, 7.0, 1.0, 9.0, np.nan, 4.0])
ROUNDING = 4 * np.finfo(float).eps  # of a sum and a difference, relative to the largest number in them
STEPS = st.integers(-(2**53), 2**53)
FLOATS = st.floats(-1e300, 1e300)
INT64 = st.integers(-(2**63), 2**63 - 1)
NOT_NUMBERS = {
    "text": pd.Series(["a", "1", None]),
    "object text": pd.Series(["a", None], dtype=object),
    "string[pyarrow]": pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())),
    "mixed": pd.Series([1, "a", None], dtype=object),
    "nothing": pd.Series([None, None], dtype=object),
    "tuples": pd.Series([(1, 2), None]),
    "arrays": pd.Series([np.arange(2), None]),
    "unordered codes": pd.Series(pd.Categorical([1, 2, None])),
    "unordered text": pd.Series(pd.Categorical(["a", None])),
    "ordered text": pd.Series(pd.Categorical(["a", None], ordered=True)),
    "ordered intervals": pd.cut(pd.Series([1.0, 2.0, None]), 2),
    "no categories": pd.Series(pd.Categorical([None, None], ordered=True)),
    "intervals": pd.Series(pd.IntervalIndex.from_breaks([0, 1, 2])),
    "time of day": pd.Series([pd.Timestamp("2020-01-01").time(), None], dtype=object),
    "time64": pd.Series([1, None], dtype=pd.ArrowDtype(pa.time64("us"))),
    "dictionary": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([1, None, 1]).dictionary_encode())),
    "arrow nulls": pd.Series(pd.arrays.ArrowExtensionArray(pa.nulls(2))),
    "lists": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([[1], None]))),
    "object timedelta64": pd.Series([np.timedelta64(1, "s"), None], dtype=object),
}


def column_of(values, dtype):
    """A nullable or numpy column of integers, without a round trip through floats."""
    return pd.Series(pd.array(values, dtype=dtype), name="x")


@pytest.mark.parametrize("dtype", [*COLUMNS, *COMPLETE])
def test_every_dtype_is_numeric_and_its_gaps_are_found(dtype):
    column = (COLUMNS | COMPLETE)[dtype](VALUES)
    assert is_numeric(column)
    assert missing(column).tolist() == (np.isnan(VALUES) & (dtype in COLUMNS)).tolist()
    numbers = to_numbers(column, origin_of(column))
    assert np.isnan(numbers).tolist() == missing(column).tolist()
    assert numbers[0] == 0


@pytest.mark.parametrize("dtype", [*COLUMNS, *COMPLETE])
def test_numbers_go_back_to_the_same_cells(dtype):
    column = (COLUMNS | COMPLETE)[dtype](VALUES)
    seen = ~missing(column)
    origin = origin_of(column)
    back = pd.Series(from_numbers(to_numbers(column, origin)[seen], origin, column), dtype=column.dtype)
    pd.testing.assert_series_equal(back, column[seen].reset_index(drop=True))


@pytest.mark.parametrize("dtype", COLUMNS)
def test_distances_are_the_same_in_every_dtype(dtype):
    """Three, seven, one: whatever holds them, one unit a step (a day is so many ticks, a boolean knows only two)."""
    column = COLUMNS[dtype](VALUES)
    numbers = to_numbers(column, origin_of(column))
    expected = VALUES - VALUES[0]
    if "bool" in dtype:
        expected = np.where(np.isnan(VALUES), np.nan, (np.nanmean(VALUES) < VALUES) * 1.0)
    np.testing.assert_allclose(numbers / (np.nanmax(numbers) / np.nanmax(expected)), expected, atol=1e-15, rtol=1e-15)


@pytest.mark.parametrize("name", NOT_NUMBERS)
def test_what_is_no_number_is_not_numeric(name):
    column = NOT_NUMBERS[name]
    assert not is_numeric(column)
    check_finite(column)
    assert missing(column).tolist() == column.isna().tolist()


@pytest.mark.parametrize("name", sorted(NOT_NUMBERS.keys() - {"nothing", "unordered codes"}))
def test_text_is_refused_with_the_way_out(name):
    way = r"for the places of its answers" if name.startswith("ordered") else r"convert it with pd"
    with pytest.raises(ColumnError, match=rf"Column 'x' \(dtype .*\) does not hold numbers: {way}"):
        origin_of(NOT_NUMBERS[name].rename("x"))


def test_unordered_categories_of_numbers_can_be_read_when_asked_for():
    column = pd.Series(pd.Categorical([10, 30, None], categories=[30, 10]))
    assert to_numbers(column, origin_of(column))[:2].tolist() == [0, 20]


def test_nan_hidden_in_nullable_and_arrow_floats_is_missing():
    for dtype in ("Float64", "Float32", pd.ArrowDtype(pa.float64())):
        column = pd.Series([0.0, 1.0, None], dtype=dtype)
        hidden = column / column
        assert missing(hidden).tolist() == [True, False, True]
    cells = pd.arrays.ArrowExtensionArray(pa.array([1.0, float("nan"), None]))
    assert missing(pd.Series(cells)).tolist() == [False, True, True]


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT, Decimal("NaN")])
def test_every_way_to_say_missing_in_an_object_column(gap):
    column = pd.Series([1, gap, 3], dtype=object)
    assert to_numbers(column, origin_of(column)).tolist()[::2] == [0, 2]
    assert missing(column).tolist() == [False, True, False]


def test_nothing_observed_is_refused():
    for column in (pd.Series([np.nan, np.nan], name="x"), pd.Series([None], dtype=object, name="x")):
        with pytest.raises(ColumnError, match="Column 'x' has no observed value to learn from"):
            origin_of(column)


# Exactness


@pytest.mark.parametrize(("dtype", "start"), [("int64", 2**60), ("Int64", 2**60), ("uint64", 2**63 + 2**40)])
def test_neighbours_far_from_zero_stay_apart(dtype, start):
    column = column_of([start + i for i in range(400)], dtype)
    origin = origin_of(column)
    numbers = to_numbers(column, origin)
    assert numbers.tolist() == list(range(400))
    assert [int(v) for v in from_numbers(numbers, origin, column)] == column.tolist()


def test_the_first_integer_that_floats_cannot_hold():
    column = column_of([2**53 + 1, None, 2**53 + 3], "Int64")
    origin = origin_of(column)
    assert origin.value == 2**53 + 1
    assert from_numbers([0.0, 1.0, 2.0], origin, column).tolist() == [2**53 + 1, 2**53 + 2, 2**53 + 3]


@given(st.lists(INT64, min_size=1, max_size=20), st.sampled_from(["int64", "Int64", "int64[pyarrow]", "object"]))
def test_differences_of_any_int64_are_rounded_once(values, dtype):
    column = pd.Series(values, dtype=dtype)
    assert to_numbers(column, origin_of(column)).tolist() == [float(v - values[0]) for v in values]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20), st.integers(-(2**65), 2**65))
def test_differences_of_any_uint64_to_any_origin_are_rounded_once(values, origin):
    column = pd.Series(values, dtype="uint64")
    assert to_numbers(column, Origin(origin)).tolist() == [float(v - origin) for v in values]


@given(INT64, st.lists(STEPS, max_size=20), st.sampled_from(["int64", "Int64", "int64[pyarrow]"]))
def test_integers_near_the_origin_come_back_exactly_or_at_the_end_of_the_range(start, steps, dtype):
    like = pd.Series([start], dtype=dtype)
    back = from_numbers(np.array(steps, dtype=float), origin_of(like), like)
    assert [int(v) for v in back] == [min(max(start + step, -(2**63)), 2**63 - 1) for step in steps]


@given(st.lists(FLOATS, min_size=1, max_size=20), st.sampled_from(["float64", "Float64", "double[pyarrow]"]))
def test_floats_come_back_to_rounding(values, dtype):
    column = pd.Series(values, dtype=dtype)
    origin = origin_of(column)
    back = np.asarray(from_numbers(to_numbers(column, origin), origin, column), dtype=float)
    assert (np.abs(back - values) <= ROUNDING * np.maximum(np.abs(values), abs(values[0]))).all()


@given(st.lists(st.integers(-(2**52), 2**52), min_size=1, max_size=20), st.sampled_from(["s", "ms", "us"]))
def test_datetimes_come_back_exactly_inside_the_calendar(values, unit):
    """Years 1 to 9999, less a day at the ends."""
    first, last = (int(np.datetime64(day, unit).astype(int)) for day in ("0001-01-02", "9999-12-30"))
    ticks = np.clip(values, first, last)
    column = pd.Series(ticks.view(f"M8[{unit}]"))
    origin = origin_of(column)
    assert from_numbers(to_numbers(column, origin), origin, column).astype(int).tolist() == ticks.tolist()


def test_decimals_keep_digits_that_floats_lose():
    start = Decimal("12345678901234567890.12")
    column = pd.Series([start, None, start + Decimal("0.5")], dtype=pd.ArrowDtype(pa.decimal128(30, 2)))
    origin = origin_of(column)
    numbers = to_numbers(column, origin)
    assert numbers[2] - numbers[0] == pytest.approx(0.5, abs=1e-12)
    assert from_numbers(numbers[::2], origin, column).tolist() == [start, start + Decimal("0.5")]


def test_a_half_is_rounded_to_the_even_number_whatever_the_origin():
    for start in range(-3, 4):
        like = pd.Series([start])
        halves = np.arange(-4, 5) + 0.5
        assert from_numbers(halves - start, origin_of(like), like).tolist() == np.rint(halves).astype(int).tolist()


# Legal cells


@pytest.mark.parametrize(
    "dtype", [f"{sign}{size}" for sign in ("int", "uint", "Int", "UInt") for size in (8, 16, 32, 64)]
)
def test_integers_are_clipped_to_their_range(dtype):
    like = column_of([1, 2], dtype)
    info = np.iinfo(dtype.lower())
    back = from_numbers([-1e300, -1e20, 1.4, 1e20, 1e300], origin_of(like), like)
    assert back.dtype == like.dtype
    assert [int(v) for v in back] == [info.min, info.min, 2, info.max, info.max]


@pytest.mark.parametrize("end", [-(2**63), 2**63 - 1])
def test_int64_does_not_wrap_around_at_its_ends(end):
    like = pd.Series([end])
    assert from_numbers([-1.0, 0.0, 1.0], origin_of(like), like).tolist() == [
        max(end - 1, -(2**63)),
        end,
        min(end + 1, 2**63 - 1),
    ]


@pytest.mark.parametrize("dtype", ["float16", "float32", "Float32", "float[pyarrow]", "halffloat[pyarrow]", "float64"])
def test_floats_do_not_overflow_to_infinity(dtype):
    like = pd.Series([1.0]).astype(dtype if "pyarrow" not in dtype else COLUMNS[_arrow_float(dtype)](np.ones(1)).dtype)
    back = from_numbers([-1e308, 0.5, 1e308], origin_of(like), like)
    assert back.dtype == like.dtype
    numbers = pd.Series(back).astype("float64")
    assert np.isfinite(numbers).all()
    assert numbers[1] == 1.5


def _arrow_float(dtype):
    return {"float[pyarrow]": "float32[pyarrow]", "halffloat[pyarrow]": "float16[pyarrow]"}[dtype]


@pytest.mark.parametrize("dtype", ["bool", "boolean", "bool[pyarrow]", "object"])
def test_booleans_are_false_or_true(dtype):
    like = pd.Series([True, False], dtype=dtype)
    back = from_numbers([-5.0, -0.6, -0.4, 3.0], origin_of(like), like)
    assert back.dtype == like.dtype
    assert list(back) == [False, False, True, True]
    assert all(isinstance(v, bool | np.bool_) for v in back)


def test_categories_get_the_nearest_one():
    like = pd.Series(pd.Categorical([10, 1, None], categories=[10, 1, 4], ordered=True))
    back = from_numbers(np.array([-99, 2.4, 2.6, 6.9, 7.1, 99]) - 10, origin_of(like), like)
    assert back.dtype == like.dtype
    assert back.tolist() == [1, 1, 4, 4, 10, 10]


def test_arrow_decimals_are_quantized_and_clipped():
    like = pd.Series([Decimal("1.25"), None], dtype=pd.ArrowDtype(pa.decimal128(4, 2)))
    back = from_numbers([0.004, 0.006, 1e9, -1e308], origin_of(like), like)
    assert back.tolist() == [Decimal("1.25"), Decimal("1.26"), Decimal("99.99"), Decimal("-99.99")]


def test_a_date64_is_a_whole_day():
    like = COLUMNS["date64[pyarrow]"](np.array([3.0, np.nan]))
    back = from_numbers([0.4 * 86_400_000, 0.6 * 86_400_000], origin_of(like), like)
    assert pa.array(back).cast(pa.int64()).to_pylist() == [d * 86_400_000 for d in (18265, 18266)]


@pytest.mark.parametrize(
    ("cells", "filled"),
    [
        ([1, 2, None], 2),
        ([np.int64(1), 5, None], 2),
        ([2**70, 2**70 + 1, None], 2**70 + 2),
        ([1, 2.5, None], 2.5),
        ([True, np.False_, None], True),
        ([Decimal("1.00"), Decimal("2.5"), None], Decimal("2.50")),
        ([Decimal("1E+2"), None], Decimal(102)),
        ([Decimal(1), 2.0, None], 2.5),
        ([np.float32(1), None], 2.5),
    ],
)
def test_objects_get_the_type_that_all_of_them_have(cells, filled):
    like = pd.Series(cells, dtype=object)
    step = {Decimal("1E+2"): 2.4, 2**70: 2.0}.get(cells[0], 1.5 if filled != 2 else 1.2)
    (back,) = from_numbers([step], origin_of(like), like)
    assert back == filled
    assert type(back) is type(filled)


def test_an_object_column_that_holds_nothing_yet_takes_what_was_learned():
    like = pd.Series([None, None], dtype=object)
    assert from_numbers([0.5], Origin(1), like).tolist() == [1.5]
    assert from_numbers([1.0], Origin(1, "datetime", "D"), like).tolist() == [pd.Timestamp("1970-01-03")]
    assert from_numbers([1.0], Origin(1, "zoned", "s"), like).tolist() == [pd.Timestamp("1970-01-01 00:00:02Z")]
    assert from_numbers([1.0], Origin(1, "timedelta", "s"), like).tolist() == [pd.Timedelta(seconds=2)]
    assert from_numbers([1.0], Origin(1, "period", "period[M]"), like).tolist() == [pd.Period("1970-03", "M")]


@pytest.mark.parametrize("dtype", [name for name in COLUMNS if "date" in name or "timestamp" in name])
def test_a_fill_far_outside_is_still_a_date(dtype):
    column = COLUMNS[dtype](VALUES)
    back = pd.Series(from_numbers([-1e30, 1e30], origin_of(column), column))
    assert back.dtype == column.dtype
    assert not back.isna().any()
    assert len({str(v) for v in back.tolist()}) == 2


@pytest.mark.parametrize("dtype", ["float64", "Int64"])
def test_a_fill_is_never_missing(dtype):
    like = pd.Series([1, 2], dtype=dtype, name="x")
    with pytest.raises(ValueError, match="A fill for column 'x' is NaN"):
        from_numbers([np.nan], origin_of(like), like)


# Between columns


@pytest.mark.parametrize("family", ["datetime", "zoned", "timedelta"])
def test_any_unit_stands_in_for_any_other(family):
    names = {
        "datetime": [f"datetime64[{u}]" for u in ("s", "ms", "us", "ns")]
        + [f"timestamp[{u}][pyarrow]" for u in ("s", "ns")]
        + ["date32[pyarrow]", "date64[pyarrow]"],
        "zoned": [f"datetime64[{u}, Europe/Paris]" for u in ("s", "us", "ns")]
        + [f"timestamp[{u}, tz][pyarrow]" for u in ("ms", "ns")],
        "timedelta": [f"timedelta64[{u}]" for u in ("s", "us", "ns")]
        + [f"duration[{u}][pyarrow]" for u in ("ms", "us")],
    }[family]
    for learned in names:
        column = COLUMNS[learned](VALUES)
        origin = origin_of(column)
        numbers = to_numbers(column, origin)
        for other in names:
            new = COLUMNS[other](VALUES)
            assert np.array_equal(to_numbers(new, origin), numbers, equal_nan=True), (learned, other)
            seen = ~missing(new)
            back = pd.Series(from_numbers(numbers[seen], origin, new))
            pd.testing.assert_series_equal(back, new[seen].reset_index(drop=True))


def test_a_finer_unit_keeps_its_fraction():
    origin = origin_of(pd.Series(pd.to_datetime(["2020-01-01"])).dt.as_unit("s"))
    new = pd.Series(pd.to_datetime(["2020-01-01 00:00:01.25", None])).dt.as_unit("ns")
    assert to_numbers(new, origin)[0] == 1.25
    assert from_numbers([1.25], origin, new).tolist() == new.astype(int)[:1].tolist()


def test_integers_and_floats_stand_in_for_each_other():
    whole, half = pd.Series([2**53 + 1, 2**53 + 3]), pd.Series([0.5, np.nan])
    assert to_numbers(half, origin_of(whole))[0] == 0.5 - (2**53 + 1)
    assert to_numbers(whole, origin_of(half)).tolist() == [float(2**53 + 1 - 0.5), float(2**53 + 3 - 0.5)]
    assert from_numbers([1.0], origin_of(half), whole).tolist() == [2]


def test_the_zone_is_kept():
    like = pd.Series(pd.to_datetime(["2020-07-01 12:00", None])).dt.tz_localize("Europe/Paris")
    (filled,) = from_numbers([0.0], origin_of(like), like)
    assert filled == like[0]
    assert str(filled.tz) == "Europe/Paris"


@pytest.mark.parametrize(
    ("learned", "new", "sentence"),
    [
        ("float64", "datetime64[ns]", "holds datetimes without a zone where numbers were learned"),
        ("datetime64[ns]", "float64", "holds numbers where datetimes without a zone were learned"),
        ("datetime64[ns]", "datetime64[ns, Europe/Paris]", "holds datetimes with a zone where datetimes without"),
        ("timedelta64[ns]", "period[D]", "holds periods where time differences were learned"),
    ],
)
def test_another_family_is_refused(learned, new, sentence):
    origin = origin_of(COLUMNS[learned](VALUES))
    column = COLUMNS[new](VALUES).rename("x")
    with pytest.raises(ColumnError, match=f"Column 'x' {sentence}"):
        to_numbers(column, origin)
    with pytest.raises(ColumnError, match=f"Column 'x' {sentence}"):
        from_numbers([0.0], origin, column)


def test_periods_of_another_frequency_are_refused():
    months = pd.Series(pd.period_range("2020-01", periods=3, freq="M"), name="x")
    with pytest.raises(ColumnError, match=r"Column 'x' holds period\[Q-DEC\] where period\[M\] was learned"):
        to_numbers(months.dt.asfreq("Q"), origin_of(months))


# Refusals


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "longdouble", "Float64", "float64[pyarrow]", "Sparse[float64]", "object of float"]
)
def test_infinity_is_refused_by_column_and_row(dtype):
    column = COLUMNS[dtype](np.array([1.0, np.inf, np.nan, -np.inf])) if "object" not in dtype else None
    if column is None:
        column = pd.Series([1.0, np.inf, None, -np.inf], dtype=object)
    column.index, column.name = pd.Index([5, 7, 9, 11]), "x"
    sentence = r"^Column 'x' holds infinity in 2 rows \(first at row label 7\): replace it by a number or by NaN\.$"
    for use in (check_finite, origin_of, lambda c: to_numbers(c, Origin(0.0))):
        with pytest.raises(ColumnError, match=sentence):
            use(column)
    with pytest.raises(ColumnError, match=r"in 1 row \(row label 'b'\)"):
        check_finite(pd.Series([1.0, -np.inf], index=["a", "b"]))


def test_infinity_in_decimals_and_categories_is_refused():
    for column in (
        pd.Series([Decimal(1), Decimal("Infinity")]),
        pd.Series(pd.Categorical([1.0, np.inf], ordered=True)),
    ):
        with pytest.raises(ColumnError, match="infinity in 1 row"):
            check_finite(column)


def test_numbers_beyond_floats_are_refused():
    with pytest.raises(ColumnError, match="numbers too large for a float in 1 row"):
        check_finite(pd.Series([1, 10**400], dtype=object))
    with pytest.raises(ColumnError, match="column 'x' lie too far apart"):
        to_numbers(pd.Series([-1.7e308, 1.7e308], name="x"), Origin(-1.7e308))


@pytest.mark.parametrize("dtype", ["complex128", "object"])
def test_complex_numbers_are_refused(dtype):
    column = pd.Series([1j, 2.0], dtype=dtype, name="x")
    assert is_numeric(column)
    for use in (check_finite, origin_of):
        with pytest.raises(ColumnError, match="Column 'x' holds complex numbers: split it"):
            use(column)


# Summaries


def test_a_summary_of_numbers_is_neither_rounded_nor_clipped():
    like = pd.Series([10, 20], dtype="uint8")
    said = summary(np.array([-9.5]), np.array([2.0]), origin_of(like), like)
    assert said["estimate"] == [0.5]
    assert said["sd"] == [2.0]
    np.testing.assert_allclose([said["low"], said["high"]], [[0.5 - 3.919927969], [0.5 + 3.919927969]], atol=1e-9)


@pytest.mark.parametrize("dtype", ["datetime64[s, Europe/Paris]", "timestamp[s, tz][pyarrow]"])
def test_a_summary_of_datetimes_has_timestamps_in_their_zone_and_finer_than_their_unit(dtype):
    like = COLUMNS[dtype](np.array([0.0, np.nan]))
    said = summary(np.array([0.25]), np.array([1.5]), origin_of(like), like)
    (estimate,), (sd,) = said["estimate"], said["sd"]
    assert estimate - like[0] == pd.Timedelta("250ms")
    assert str(estimate.tz) == "Europe/Paris"
    assert sd == pd.Timedelta("1.5s")
    assert said["low"][0] < estimate < said["high"][0]


def test_a_summary_of_time_differences_and_dates():
    like = COLUMNS["timedelta64[ns]"](np.array([1.0, np.nan]))
    said = summary(np.array([5.0]), np.array([1.0]), origin_of(like), like)
    assert said["estimate"][0] == pd.Timedelta("1D") + pd.Timedelta(5)
    like = COLUMNS["date32[pyarrow]"](np.array([1.0, np.nan]))
    said = summary(np.array([0.5]), np.array([1.0]), origin_of(like), like)
    assert said["estimate"][0] == pd.Timestamp("2020-01-02 12:00")
    assert said["sd"][0] == pd.Timedelta("1D")


def test_a_summary_of_periods_has_the_nearest_ones():
    like = pd.Series(pd.PeriodIndex(["2020-01", None], freq="M"))
    said = summary(np.array([1.2]), np.array([1.0]), origin_of(like), like)
    assert said["estimate"][0] == pd.Period("2020-02", "M")
    assert said["high"][0] == pd.Period("2020-04", "M")
    assert said["sd"].tolist() == [1.0]


def test_reading_loads_neither_scipy_nor_arrow():
    """Beyond what pandas loads itself."""
    code = (
        "import sys, pandas as pd; before = set(sys.modules); import emimpute.kinds as k; "
        "k.Real().learn(pd.Series([1, None])); "
        "print([m for m in ('scipy', 'statsmodels', 'pyarrow') if m in sys.modules.keys() - before])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
