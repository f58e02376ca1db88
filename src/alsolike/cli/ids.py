"""Finds the users and items that were typed, by id or name."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alsolike.errors import SettingError, UnknownId
from alsolike.usage_hints import ASKS, did_you_mean_id

if TYPE_CHECKING:
    from alsolike.data.vocabulary import Id
    from alsolike.models.base import FittedModel
    from alsolike.recommending.rules.rules import Rules


def item_ids(model: "FittedModel", typed: Sequence[str]) -> "list[Id]":
    """Return the ids of items given by id or name."""
    found = []
    for text in map(as_utf8, typed):
        try:
            found.append(model.items.id_of(model.item_index(text)))
        except UnknownId as error:
            raise UnknownId(_with_way_out(str(error), "similar", "items")) from None
    return found


def user_ids(model: "FittedModel", typed: Sequence[str]) -> "list[Id]":
    """Return the ids of users; UnknownId if the model lacks one."""
    texts = [as_utf8(text) for text in typed]
    for text in texts:
        if text not in model.users:
            raise UnknownId(_with_way_out(unknown_user(model, text), "recommend", "users"))
    return [model.users.id_from(text) for text in texts]


def unknown_user(model: "FittedModel", text: str) -> str:
    """Return why a typed id is not one of the users of a model."""
    users = model.users
    if misfit := users.misfit(text):
        return misfit
    hint = did_you_mean_id(text, users.ids, users.__contains__, plain=users.are_whole)
    return (
        f"user {users.id_from(text)!r} is not among the {len(users):,} users of this model; those "
        f"with too few likes were filtered out, if there was a filter.{hint}"
    )


def user_ids_or_new(
    model: "FittedModel", typed: Sequence[str]
) -> "tuple[list[Id], dict[Id, None]]":
    """Return ids of users, and those that the model lacks; UnknownId if one can be no user's."""
    ids = model.users.column_of([as_utf8(text) for text in typed]).tolist()
    return ids, dict.fromkeys(one for one in ids if one not in model.users)


def expect_one_group(
    users: Sequence[str], *, every: bool, likes: str | None, liked: Sequence[str]
) -> None:
    """Raise UsageError unless lists are asked for in exactly one way."""
    if [bool(users), every, likes is not None, bool(liked)].count(True) != 1:
        raise click.UsageError(
            "Give the ids of users, or --all, or --likes FILE, or --like ITEM: one of them."
        )


def rules_of(options: dict[str, Any]) -> "Rules | None":
    """Take the options of rules out of `options` and return them as rules; None without any."""
    from alsolike.recommending.rules.rules import Rules

    by_column = {name: options.pop(name) for name in ("only", "exclude", "at_most", "one_of")}
    file = options.pop("available")
    available = None if file is None else _listed_in(file)
    return Rules.parsed(**by_column, available=available) or None


def _listed_in(given: str) -> list[str]:
    """Return the ids in a file, one per line, or in a column of a table: ``FILE:COLUMN``."""
    from alsolike.data.reading.item_table import read_ids

    file, _, column = given.rpartition(":")
    if file and column and not Path(given).exists():
        return read_ids(file, column)
    try:
        text = Path(given).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise SettingError(
            f"{given}: a file with the id of an item on each line, or FILE:COLUMN, expected "
            f"({getattr(error, 'strerror', None) or error})."
        ) from error
    return [line for line in text.split("\n") if line]


def some_or_all(typed: Sequence[str], *, every: bool, what: str) -> Sequence[str] | None:
    """Return what was typed, or None for --all; exactly one of them must be given."""
    if every == bool(typed):
        raise click.UsageError(f"Give the ids of {what}s, or --all.")
    return None if every else typed


def as_utf8(text: str) -> str:
    """Return what was typed as UTF-8, even if Python assumes another encoding of the terminal."""
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text


def _with_way_out(message: str, verb: str, kind: str) -> str:
    """Append the command that lists all ids to a message without a suggestion."""
    if ASKS in message:
        return message
    return f"{message} To see all ids: alsolike {verb} MODEL --all --to {kind}.csv"
