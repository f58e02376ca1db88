"""Side by side, blind: two models' strips without names, a vote, and what the votes say."""

import re
import secrets
from collections.abc import Iterable
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import Response

from alsolike.errors import SettingError, Unable
from alsolike.evaluation.statistics.sequential import SequentialTest
from alsolike.views.page import clean
from alsolike.web.pages import votes as voting
from alsolike.web.pages.base import (
    away,
    field_of,
    id_of_field,
    missing,
    page,
)
from alsolike.web.service import service_of
from alsolike.web.serving.item_cards import ItemCard, card_of

# Only tells one visitor from another, so that nobody is counted twice for an item.
_COOKIE = "voter"
_VOTER = re.compile(r"[0-9a-f]{32}")
_SECONDS = 365 * 86400
_MOST_FIELDS = 8


def compare(request: Request) -> Response:
    """Show two strips without their models' names, and ask which is better."""
    pairs, pair = _pair(request, request.query_params.get("pair"))
    if pair is None:
        return missing(request, "pair", "Those models are not compared here.")
    state = service_of(request).state
    voter = _voter(request) or secrets.token_hex(16)
    comparison, fault = None, ""
    try:
        comparison = voting.next_comparison(state, pair, voter)
    except Unable as error:
        fault = clean(str(error))
    answer = page(
        request,
        "compare.html",
        pair=pair,
        pairs=_named(pairs, "/compare"),
        result=_address("/compare/result", pair.name),
        shown=_shown(pair),
        comparison=comparison,
        fault=fault,
        item=None if comparison is None else field_of(comparison.item),
        asked=None if comparison is None else _card(pair, comparison.item),
        lists=[] if comparison is None else [_cards(pair, comparison.left), _cards(pair, comparison.right)],
        count=_count(voting.result(state, pair)),
    )
    answer.set_cookie(
        _COOKIE, voter, max_age=_SECONDS, path="/compare", httponly=True, samesite="strict"
    )
    return answer


def result(request: Request) -> Response:
    """Show what the votes say so far."""
    pairs, pair = _pair(request, request.query_params.get("pair"))
    if pair is None:
        return missing(request, "pair", "Those models are not compared here.")
    test = voting.result(service_of(request).state, pair)
    return page(
        request,
        "result.html",
        pair=pair,
        pairs=_named(pairs, "/compare/result"),
        back=_address("/compare", pair.name),
        test=test,
        low=f"{test.interval[0]:.0%}".replace("%", "\N{NO-BREAK SPACE}%"),
        high=f"{test.interval[1]:.0%}".replace("%", "\N{NO-BREAK SPACE}%"),
        ahead=pair.first.name if test.wins > test.losses else pair.second_name,
        count=_count(test),
    )


def cast(request: Request, body: bytes) -> Response:
    """Keep a vote, and lead to the next."""
    try:
        form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise SettingError("That is no form of this page. Go back and choose again.") from error
    given = {name: values[0] for name, values in form.items()}
    _, pair = _pair(request, given.get("pair"))
    if pair is None:
        return missing(request, "pair", "Those models are not compared here.")
    voter = _voter(request)
    if voter is None:
        raise SettingError("Votes are counted once for each visitor, which needs a cookie.")
    # Of other versions than those that were shown, a vote would say nothing.
    if given.get("shown") == _shown(pair):
        state = service_of(request).state
        item = id_of_field(given.get("item", ""))
        if voting.vote(state, pair, voter, item, given.get("choice", "")):
            service_of(request).metrics.count("votes")
    return away(_address("/compare", pair.name))


def _pair(request: Request, name: str | None) -> tuple[dict[str, voting.Pair], voting.Pair | None]:
    pairs = voting.pairs_of(service_of(request).registry.served)
    return pairs, next(iter(pairs.values())) if name is None else pairs.get(name)


def _voter(request: Request) -> str | None:
    found = request.cookies.get(_COOKIE, "")
    return found if _VOTER.fullmatch(found) else None


def _shown(pair: voting.Pair) -> str:
    return "|".join(pair.versions)


def _address(path: str, pair: str) -> str:
    return f"{path}?{urlencode({'pair': pair})}"


def _named(pairs: dict[str, voting.Pair], path: str) -> list[tuple[str, str, str]]:
    """Return name, words and address of each pair, of several."""
    return [
        (pair.name, f"{pair.first.name} and {pair.second_name}", _address(path, pair.name))
        for pair in (pairs.values() if len(pairs) > 1 else ())
    ]


def _count(test: SequentialTest) -> str:
    votes = test.wins + test.losses + test.ties
    return "1 vote" if votes == 1 else f"{votes:,} votes"


def _cards(pair: voting.Pair, items: Iterable[str]) -> list[ItemCard]:
    return [_card(pair, item) for item in items]


def _card(pair: voting.Pair, item: str) -> ItemCard:
    """Return an item as the first model that knows it shows it, for both sides alike."""
    for served in (pair.first, pair.second):
        row = None if served is None else served.model.items.find(item)
        if served is not None and row is not None:
            return card_of(served, row)
    raise SettingError(f"Neither model knows the item {clean(item)!r}.")
