"""From what was typed to ids that a model knows, with a hint where there is none."""

import difflib
import itertools
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from alsolike.errors import UnknownId

if TYPE_CHECKING:
    from alsolike.models.base import FactorModel

# Comparing with so many takes about a second; a hint is worth no more.
_COMPARED = 100_000


def item_ids(model: "FactorModel", typed: Sequence[str]) -> list[str]:
    """Return the ids of items given by id or name."""
    found = []
    for text in map(_as_utf8, typed):
        try:
            found.append(model.items.id_of(model.item_index(text)))
        except UnknownId as error:
            names = model.catalogue.names if model.catalogue is not None else None
            hint = _hint(text, itertools.chain(names or (), model.items), "similar", "items")
            raise UnknownId(f"{error} {hint}") from None
    return found


def user_ids(model: "FactorModel", typed: Sequence[str]) -> list[str]:
    """Return the ids of users, each of them known."""
    texts = [_as_utf8(text) for text in typed]
    for text in texts:
        if text not in model.users:
            raise UnknownId(
                f"user {text!r} is not among the {len(model.users):,} users of this model; those "
                "with too few likes were filtered out, if there was a filter. "
                + _hint(text, model.users, "recommend", "users")
            )
    return texts


def some_or_all(typed: Sequence[str], *, every: bool, what: str) -> Sequence[str] | None:
    """Return what was typed, or None for all; one of the two must be meant."""
    if every == bool(typed):
        raise click.UsageError(f"Give the ids of {what}s, or --all.")
    return None if every else typed


def _as_utf8(text: str) -> str:
    """Return what was typed as UTF-8, also where Python takes the terminal for another alphabet."""
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text


def _hint(text: str, known: Iterable[str], verb: str, kind: str) -> str:
    folded: dict[str, str] = {}
    for one in itertools.islice(known, _COMPARED):
        folded.setdefault(one.casefold(), one)
    near = [folded[one] for one in difflib.get_close_matches(text.casefold(), folded, cutoff=0.7)]
    if near and not (text in near and verb == "similar"):
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"To see all ids: alsolike {verb} MODEL --all --to {kind}.csv"
