"""Compares families by their best runs: which wins, which tie with it, and the cheapest run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alsolike.system_errors import in_bytes
from alsolike.tables import Table
from alsolike.text import duration, listed

if TYPE_CHECKING:
    from alsolike.tuning.leaderboard.leaderboard import LeaderboardRow


@dataclass(frozen=True)
class FamilyComparison:
    """The best run of each family that may be chosen.

    Parameters
    ----------
    rows : tuple of LeaderboardRow
        One per family, best first; no degenerate ones.
    cheapest : LeaderboardRow or None
        The cheapest run of any family that ties with the best, see `SearchResult.proposed_row`.
        None: nothing may be chosen.
    above : str
        The baseline at the top of the leaderboard, if it is above all of them.
    """

    rows: tuple["LeaderboardRow", ...]
    cheapest: "LeaderboardRow | None" = None
    above: str = ""

    @classmethod
    def of(
        cls, rows: Sequence["LeaderboardRow"], cheapest: "LeaderboardRow", above: str = ""
    ) -> "FamilyComparison":
        """Collect the first row of each family."""
        best: dict[str, LeaderboardRow] = {}
        for row in rows:
            if row.is_candidate and not row.is_degenerate:
                best.setdefault(row.family, row)
        return cls(tuple(best.values()), cheapest if best else None, above)

    @property
    def tied(self) -> tuple[str, ...]:
        """The families whose best run does not differ significantly from the best of all."""
        return tuple(row.family for row in self.rows[1:] if row.ties and self.rows[0].ties)

    def table(self) -> Table:
        """Return a row per family: best run, its score and interval, ties, size and time."""
        return Table.from_rows(
            [
                {
                    "family": row.family,
                    "run": row.run,
                    "mean": row.mean,
                    "low": row.low,
                    "high": row.high,
                    "ties": row.ties,
                    "size": in_bytes(row.bytes),
                    "seconds": duration(row.seconds),
                }
                for row in self.rows
            ]
        )

    def to_plain(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        return {
            "best": self.rows[0].family if self.rows else None,
            "tied_with_best": list(self.tied),
            "baseline_above": self.above or None,
            "cheapest_that_ties": None if self.cheapest is None else _plain(self.cheapest),
            "families": [_plain(row) for row in self.rows],
        }

    def __str__(self) -> str:
        """Return the comparison in sentences; empty if there is only one family."""
        if len(self.rows) < 2 or self.cheapest is None:
            return ""
        best, others = self.rows[0], [row.family for row in self.rows[1:]]
        text = f"Best family: {best.family} ({best.mean:.4f})"
        if not best.ties:
            return f"{text}, significantly below {self.above}, a baseline."
        if self.above:
            text += f", not significantly below {self.above}, a baseline"
        if not self.tied:
            return f"{text}, significantly above {listed(others)}."
        text += f". No significant difference from it: {listed(self.tied)}."
        cheapest = self.cheapest
        if cheapest.run == best.run:
            return f"{text} It is also the cheapest of the runs that tie: {in_bytes(best.bytes)}."
        return (
            f"{text} Cheapest run that ties: {cheapest.family}, run {cheapest.run}, "
            f"{in_bytes(cheapest.bytes)} against {in_bytes(best.bytes)}."
        )


def _plain(row: "LeaderboardRow") -> dict[str, Any]:
    names = ("family", "run", "rank", "mean", "low", "high", "ties", "bytes")
    return {name: getattr(row, name) for name in names} | {"settings": row.config.to_settings()}
