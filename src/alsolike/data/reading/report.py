"""Reports what reading found, dropped and merged."""

from dataclasses import dataclass
from typing import Any

from alsolike.data.features.report import FeatureReport
from alsolike.data.reading.cleaning.aggregate import Pairs
from alsolike.data.reading.cleaning.events import EventCount
from alsolike.data.reading.cleaning.rows import DroppedRows, Rules
from alsolike.data.reading.cleaning.time_units import shown
from alsolike.data.reading.delimited.dialect import Dialect
from alsolike.data.reading.source_table import SourceTable
from alsolike.tables import wrapped
from alsolike.text import in_two_columns

# Facts that `brief` prints in one line; warnings are printed apart.
_IN_ONE = ("source", "rows", "users", "items", "interactions", "note", "warning")


@dataclass(frozen=True, kw_only=True)
class ReadReport:
    """The counts of one reading. ``str()`` gives lines for people, `facts` pairs for a page.

    For text, ``rows + rejected + blank`` are the records after the header; where rows hold several
    items, `rejected` also counts items that were set aside.

    Parameters
    ----------
    source, format : str
        What was read.
    dialect, items_dialect : Dialect or None
        Of the likes and of the item table, where they are delimited text.
    encoding, items_encoding : str
        Of texts that are not UTF-8.
    parts, ignored, items_parts, items_ignored : int
        Files that were read as one table, and files left out: empty ones, and those whose names
        begin with _ or a point.
    skipped, comments : int
        Lines skipped before the table, and lines of comments.
    rows, blank, rejected : int
        Rows accepted, blank lines, lines set aside.
    elements, without_items : int or None, int
        Of rows with several items: the rows made of them, one for each item, and the rows without
        any; None if each row was taken as it is.
    empty_items, trimmed_items : int
        Items of such rows without text, skipped; with blanks around them, which were cut off.
    events : tuple of EventCount
        Rows per event, duplicates included, and their weights.
    at_least : float or None
        The least rating that was taken as a like.
    liked, below : int
        Rows at or above it, which count 1, and below it.
    below_rule : str
        What became of those below: "drop", "dislike".
    duplicates : int
        Rows equal to an earlier one in every column.
    duplicates_rule : str
        What became of them: "drop", "keep".
    missing : int
        Rows without a user or an item, dropped.
    zeros : int
        Rows with the value 0 (no interaction), dropped.
    negatives : int
        Rows with a value below 0.
    negative_rule : str
        What became of them: "error", "net", "dislike".
    netted : int
        Pairs whose sum is not positive (net) or exactly 0, dropped.
    repeated, merged : int
        Pairs that occur more than once, and the rows beyond the first of each.
    repeats_rule : str
        What became of them: "sum", "count", "once", "max", "error".
    dislikes : int
        Pairs kept with a value below 0.
    items_without_row, conflicting : int
        Items that the item table does not know; items with more than one name, image, link or
        row, of which the first stays.
    items_rows_without_id, items_rows_repeated : int
        Rows of the item table without an id, and beyond the first of an id.
    items_skipped, items_comments, items_blank, items_rejected : int
        Lines of the item table that were skipped, are comments or blank, or were set aside.
    users, items, interactions : int
        What came of it.
    first_time, last_time : float or None
        The range of the times, seconds since 1970, where there are times.
    number_form, time_form : str
        How numbers are written, where the caller says so; how times were read.
    features : tuple of FeatureReport
        Of items and of users, where there are features.
    notes : tuple of str
        What was done as asked, but might be meant otherwise.
    warnings : tuple of str
        What was guessed and might be meant otherwise, with the way out.
    """

    source: str
    format: str
    dialect: Dialect | None = None
    items_dialect: Dialect | None = None
    encoding: str = ""
    items_encoding: str = ""
    parts: int = 1
    ignored: int = 0
    items_parts: int = 1
    items_ignored: int = 0
    skipped: int = 0
    comments: int = 0
    rows: int = 0
    blank: int = 0
    rejected: int = 0
    elements: int | None = None
    without_items: int = 0
    empty_items: int = 0
    trimmed_items: int = 0
    events: tuple[EventCount, ...] = ()
    at_least: float | None = None
    liked: int = 0
    below: int = 0
    below_rule: str = "drop"
    duplicates: int = 0
    duplicates_rule: str = "drop"
    missing: int = 0
    zeros: int = 0
    negatives: int = 0
    negative_rule: str = "error"
    netted: int = 0
    repeated: int = 0
    merged: int = 0
    repeats_rule: str = "sum"
    dislikes: int = 0
    items_without_row: int = 0
    conflicting: int = 0
    items_rows_without_id: int = 0
    items_rows_repeated: int = 0
    items_skipped: int = 0
    items_comments: int = 0
    items_blank: int = 0
    items_rejected: int = 0
    users: int = 0
    items: int = 0
    interactions: int = 0
    first_time: float | None = None
    last_time: float | None = None
    number_form: str = ""
    time_form: str = ""
    features: tuple[FeatureReport, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        """Records after the header: accepted, rejected and blank."""
        return self.rows + self.rejected + self.blank

    @property
    def density(self) -> float:
        """Filled share of the users x items table, from 0 to 1."""
        cells = self.users * self.items
        return self.interactions / cells if cells else 0.0

    def facts(self) -> list[tuple[str, str]]:
        """Return (label, text) pairs; zero counts are left out, except duplicates and repeats."""
        return [
            *self._of_source(),
            *self._of_rows(),
            *self._of_pairs(),
            *self._of_item_table(),
            *self._of_result(),
        ]

    def _of_source(self) -> list[tuple[str, str]]:
        facts: list[tuple[str, str]] = [("source", f"{self.source} ({self.format})")]
        if self.dialect is not None:
            facts.append(("dialect", _dialect(self.dialect)))
        if self.items_dialect is not None:
            facts.append(("dialect of the item table", _dialect(self.items_dialect)))
        facts += self._about_files()
        for table, dialect in (("", self.dialect), (" of the item table", self.items_dialect)):
            if dialect is not None and dialect.first_line:
                facts.append((f"header{table}", f"{dialect.first_line} (a guess)"))
        if self.number_form:
            facts.append(("numbers", self.number_form))
        facts += _unless_zero("lines before the table", self.skipped, "skipped")
        facts += _unless_zero("lines before the item table", self.items_skipped, "skipped")
        facts += _unless_zero("comment lines", self.comments, "skipped")
        facts += _unless_zero("comment lines of the item table", self.items_comments, "skipped")
        return facts

    def _of_rows(self) -> list[tuple[str, str]]:
        after = " after the first line" if self.dialect and self.dialect.names_guessed else ""
        kept = "kept" if self.duplicates_rule == "keep" else "dropped"
        facts = [("rows", f"{self.rows:,}{after}")]
        facts += _unless_zero("blank lines", self.blank, "skipped")
        facts += _unless_zero("malformed lines", self.rejected, "rejected")
        facts += self._of_items()
        facts.append(("duplicate rows", f"{self.duplicates:,} {kept} (equal in every column)"))
        facts += _unless_zero("rows without a user or an item", self.missing, "dropped")
        if self.events:
            facts.append(("events", _events(self.events)))
        if self.at_least is not None:
            outcome = "kept as dislikes" if self.below_rule == "dislike" else "dropped"
            likes = f"{self.liked:,} (each counts 1)"
            facts.append((f"ratings of {self.at_least:g} or more", likes))
            facts.append((f"ratings below {self.at_least:g}", f"{self.below:,} {outcome}"))
        facts += _unless_zero("rows with the value 0", self.zeros, "dropped")
        outcomes = {"net": "netted per pair", "dislike": "kept as dislikes"}
        outcome = outcomes.get(self.negative_rule, self.negative_rule)
        return facts + _unless_zero("rows with a negative value", self.negatives, outcome)

    def _of_pairs(self) -> list[tuple[str, str]]:
        repeated = f"{self.repeated:,} ({self.merged:,} further rows; rule: {self.repeats_rule})"
        return [
            ("repeated pairs", repeated),
            *_unless_zero("pairs with a sum of zero or less", self.netted, "dropped"),
            *_unless_zero("dislikes", self.dislikes, "kept below zero"),
        ]

    def _of_item_table(self) -> list[tuple[str, str]]:
        counts = (
            ("items missing from the item table", self.items_without_row, "left without text"),
            ("items with different texts", self.conflicting, "the first one is kept"),
            ("blank lines of the item table", self.items_blank, "skipped"),
            ("malformed lines of the item table", self.items_rejected, "rejected"),
            ("item rows without an id", self.items_rows_without_id, "ignored"),
            ("repeated item rows", self.items_rows_repeated, "ignored"),
        )
        return [fact for one in counts for fact in _unless_zero(*one)]

    def _of_result(self) -> list[tuple[str, str]]:
        facts = [
            ("users", f"{self.users:,}"),
            ("items", f"{self.items:,}"),
            ("interactions", f"{self.interactions:,} ({100 * self.density:.3f} % filled)"),
        ]
        if self.first_time is not None and self.last_time is not None:
            how = f"; {self.time_form}" if self.time_form else ""
            span = f"{shown(self.first_time)} to {shown(self.last_time)}"
            facts.append(("times", f"{span} (UTC{how})"))
        facts += [fact for one in self.features for fact in one.facts()]
        facts += [("note", note) for note in self.notes]
        facts += [("warning", warning) for warning in self.warnings]
        return facts

    def _about_files(self) -> list[tuple[str, str]]:
        """Return facts about encodings, parts, and files left out."""
        facts = []
        for table, encoding, parts, ignored in (
            ("", self.encoding, self.parts, self.ignored),
            (" of the item table", self.items_encoding, self.items_parts, self.items_ignored),
        ):
            if encoding:
                facts.append((f"encoding{table}", encoding))
            if table and parts > 1:
                facts.append((f"parts{table}", f"{parts:,}"))
            why = "(empty, or with a name that begins with _ or .)"
            facts += _unless_zero(f"files left out{table}", ignored, why)
        return facts

    def _of_items(self) -> list[tuple[str, str]]:
        if self.elements is None:
            return []
        return [
            ("items within rows", f"{self.elements:,}"),
            *_unless_zero("rows without an item", self.without_items, "dropped"),
            *_unless_zero("empty items", self.empty_items, "skipped"),
            *_unless_zero("items with blanks around them", self.trimmed_items, "trimmed"),
        ]

    def brief(self, width: int) -> str:
        """Return counts and dialect, without the reasons for the dialect."""
        apart = {label for one in self.features for label, _ in one.facts()}
        none = {"duplicate rows": self.duplicates, "repeated pairs": self.repeated}
        dialects, counts = [], []
        for label, text in self.facts():
            if label.startswith("dialect"):
                end = text.find("; ", text.find(", header "))  # a delimiter may hold "; "
                short = text if end < 0 else f"{text[:end]}; --verbose says more)"
                dialects.append(f"{label}: {short}")
            elif label not in _IN_ONE and label not in apart and none.get(label, 1):
                counts.append(f"{label}: {text}")
        facts = [
            f"{self.source} ({self.format}): {self.rows:,} rows",
            *dialects,
            *filter(None, ["; ".join(counts)]),
            f"{self.users:,} users, {self.items:,} items, {self.interactions:,} interactions, "
            f"{100 * self.density:.3f} % filled",
            *(f"{label}: {text}" for one in self.features for label, text in one.facts()),
            *(f"note: {note}" for note in self.notes),
        ]
        return "\n".join(wrapped(line, width, indent=2) for line in facts)

    def __str__(self) -> str:
        return in_two_columns(self.facts())


def _dialect(dialect: Dialect) -> str:
    return f"{dialect} ({dialect.reason})" if dialect.reason else str(dialect)


def _events(events: tuple[EventCount, ...]) -> str:
    weighed = [one for one in events if one.weight]
    dropped = [one for one in events if not one.weight]
    parts = [", ".join(f"{one.event or 'none'} {one.rows:,} x {one.weight:g}" for one in weighed)]
    if dropped:
        named = ", ".join(f"{one.event or 'none'} {one.rows:,}" for one in dropped)
        parts.append(f"{sum(one.rows for one in dropped):,} of weight 0 dropped ({named})")
    return "; ".join(filter(None, parts))


def _unless_zero(label: str, count: int, outcome: str) -> list[tuple[str, str]]:
    return [(label, f"{count:,} {outcome}")] if count else []


def counted(
    loaded: SourceTable, counts: DroppedRows, rules: Rules, pairs: Pairs, dropped: int
) -> dict[str, Any]:
    """Return the fields of the report that depend neither on the layout nor on the catalogue."""
    return {
        "source": loaded.name,
        "format": loaded.format,
        "dialect": loaded.dialect,
        "encoding": loaded.encoding,
        "parts": len(loaded.parts) or 1,
        "ignored": loaded.ignored,
        "skipped": loaded.skipped,
        "comments": loaded.comments,
        "number_form": str(loaded.numbers or ""),
        "time_form": loaded.time_words,
        "rows": loaded.source.rows,
        "blank": loaded.blank,
        "rejected": len(loaded.rejected),
        "events": counts.events,
        "at_least": rules.at_least,
        "liked": counts.marks.kept,
        "below": counts.marks.below,
        "below_rule": rules.below or "drop",
        "notes": counts.notes,
        "duplicates": counts.duplicates,
        "duplicates_rule": rules.duplicates,
        "missing": counts.missing,
        "zeros": counts.zeros,
        "negatives": counts.negatives,
        "negative_rule": rules.negative,
        "netted": dropped,
        "repeated": pairs.repeated,
        "merged": pairs.merged,
        "repeats_rule": rules.repeats,
    }
