"""Renders the blind comparison of two models, takes votes, and shows their result."""

import re
import secrets
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from alsolike.errors import SettingError, Unable, UnknownModel
from alsolike.evaluation.statistics.sequential_test import SequentialTest
from alsolike.views.page import clean
from alsolike.web.pages import votes as voting
from alsolike.web.pages.base import field_of, page, redirect
from alsolike.web.service import service_of
from alsolike.web.serving.item_cards import ItemCard, card_of
from alsolike.web.templating import below

# Identifies a visitor, so that each counts once per item.
_COOKIE = "voter"
_VOTER = re.compile(r"[0-9a-f]{32}")
_SECONDS = 365 * 86400
_MOST_FIELDS = 8


def compare(request: Request) -> Response:
    """Show two lists without their models' names, and ask which is better."""
    pairs, pair = _pair(request, request.query_params.get("pair"))
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
        pairs=_links(pairs, "/compare"),
        result=_address("/compare/result", pair.name),
        shown="|".join(pair.versions),
        comparison=comparison,
        fault=fault,
        item=None if comparison is None else field_of(comparison.item),
        asked=None if comparison is None else _card(pair, comparison.item),
        lists=[]
        if comparison is None
        else [_cards(pair, comparison.left), _cards(pair, comparison.right)],
        count=_count(voting.result(state, pair)),
    )
    answer.set_cookie(
        _COOKIE, voter, max_age=_SECONDS, path=below("/compare"), httponly=True, samesite="strict"
    )
    return answer


def result(request: Request) -> Response:
    """Show the result of the votes so far."""
    pairs, pair = _pair(request, request.query_params.get("pair"))
    test = voting.result(service_of(request).state, pair)
    return page(
        request,
        "result.html",
        pair=pair,
        pairs=_links(pairs, "/compare/result"),
        back=_address("/compare", pair.name),
        test=test,
        low=f"{test.interval[0]:.0%}".replace("%", "\N{NO-BREAK SPACE}%"),
        high=f"{test.interval[1]:.0%}".replace("%", "\N{NO-BREAK SPACE}%"),
        ahead=pair.first.name if test.wins > test.losses else pair.second_name,
        count=_count(test),
    )


def cast(request: Request, body: bytes) -> Response:
    """Store a vote, and redirect to the next comparison."""
    try:
        form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise SettingError(
            "The form is invalid or out of date. Go back and choose again."
        ) from error
    given = {name: values[0] for name, values in form.items()}
    _, pair = _pair(request, given.get("pair"))
    voter = _voter(request)
    if voter is None:
        raise SettingError(
            "Votes count once per visitor, which needs a cookie. Allow cookies and vote again."
        )
    # A vote on versions that are no longer served is dropped.
    if given.get("shown") == "|".join(pair.versions):
        state = service_of(request).state
        item = unquote(given.get("item", ""))
        if voting.vote(state, pair, voter, item, given.get("choice", "")):
            service_of(request).metrics.count("votes")
    return redirect(_address("/compare", pair.name))


def _pair(request: Request, name: str | None) -> tuple[dict[str, voting.Pair], voting.Pair]:
    """Return all pairs of models, and the named or the first one; raise UnknownModel."""
    pairs = voting.pairs_of(service_of(request).registry.served)
    pair = next(iter(pairs.values())) if name is None else pairs.get(name)
    if pair is None:
        raise UnknownModel("These models are not compared here.")
    return pairs, pair


def _voter(request: Request) -> str | None:
    found = request.cookies.get(_COOKIE, "")
    return found if _VOTER.fullmatch(found) else None


def _address(path: str, pair: str) -> str:
    return below(f"{path}?{urlencode({'pair': pair})}")


def _links(pairs: dict[str, voting.Pair], path: str) -> list[tuple[str, str]]:
    return [(pair.label, _address(path, name)) for name, pair in pairs.items()]


def _count(test: SequentialTest) -> str:
    votes = test.wins + test.losses + test.ties
    return "1 vote" if votes == 1 else f"{votes:,} votes"


def _cards(pair: voting.Pair, items: Iterable[str]) -> list[ItemCard]:
    return [_card(pair, item) for item in items]


def _card(pair: voting.Pair, item: str) -> ItemCard:
    """Return the card of an item from the first model that has it, the same on both sides."""
    for served in (pair.first, pair.second):
        row = None if served is None else served.model.items.find(item)
        if served is not None and row is not None:
            return card_of(served, row)
    raise SettingError(f"Neither model has the item {clean(item)!r}.")
