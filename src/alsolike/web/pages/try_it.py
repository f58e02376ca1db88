"""Renders the page Try it: recommendations for items that a visitor picks, and similar items.

Nothing is stored: the picks are in the URL, so that it works without scripts and can be shared.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from alsolike.errors import FitError, SettingError, Unable
from alsolike.recommending.rules.rules import Rules
from alsolike.views.page import clean
from alsolike.web.pages import profiles
from alsolike.web.pages.base import field_of, page, query_of, requested_model, with_model
from alsolike.web.pages.rules import form_of, given_rules, rules_in, with_parameters
from alsolike.web.service import service_of
from alsolike.web.serving import queries
from alsolike.web.serving.item_cards import ItemCard, card_of
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import popular_rows
from alsolike.web.templating import below

MOST_PICKS = 50

_OFFERED = 10


@dataclass(frozen=True)
class Offer:
    """An item, and the address of this page with it added or removed."""

    card: ItemCard
    address: str


Link = Callable[[Iterable[str]], str]


def address_with(
    items: Iterable[str], model: str | None = None, rules: Sequence[tuple[str, str]] = ()
) -> str:
    """Return the address of the page with these ids picked, and parameters of rules."""
    query = urlencode([("item", one) for one in items])
    address = with_model(model, below(f"/try?{query}" if query else "/try"))
    return with_parameters(address, rules)


def try_it(request: Request) -> Response:
    """Show the picks, recommendations for them, and more items to pick."""
    served, model = requested_model(request), request.query_params.get("model")
    items = served.model.items
    rules, in_address = given_rules(request), rules_in(request)
    link = functools.partial(address_with, model=model, rules=in_address)
    own_model = [] if model is None else [("model", model)]
    given = _given(request)
    known = [row for one in given if (row := items.find(one)) is not None]
    rows = known[:MOST_PICKS]
    picked = [items.text_of(row) for row in rows]
    query = query_of(request)
    suggested = profiles.Suggestions([])
    if rows:
        suggested = profiles.picked_for(served, dict.fromkeys(rows, 1.0), k=_OFFERED, rules=rules)
    together, why_not = _together(served, rows, picked, link, rules)
    carried = [field_of(one) for one in picked]
    fields = [*own_model, *(("picked", one) for one in carried)]
    found = served.index.find(query, limit=_OFFERED) if query else []
    return page(
        request,
        "try.html",
        models=[
            (name, address_with(picked, name, in_address))
            for name in service_of(request).registry.served
        ],
        chosen=served.name,
        kept=[*own_model, *in_address],
        begin=link([]),
        picks=[Offer(card_of(served, row), link(_but(picked, row, served))) for row in rows],
        carried=carried,
        rules=form_of(request, served.model, below("/try"), fields) if rows else None,
        note=suggested.note,
        unknown=len(given) - len(known),
        too_many=len(known) - len(rows),
        query=clean(query),
        found=_offers(served, (row for row in found if row not in rows), picked, link),
        popular=[]
        if rows or query
        else _offers(served, popular_rows(served, _OFFERED), picked, link),
        suggestions=suggested.entries,
        basis=suggested.basis,
        lists_by_likes=served.lists_by_likes,
        adding={one.card.id: link([*picked, one.card.id]) for one in suggested.entries},
        fault=suggested.fault,
        together=together,
        why_not=why_not,
    )


def _given(request: Request) -> list[str]:
    """Return the picked ids: those in the address, and those in the form's hidden fields."""
    query = request.query_params
    carried = map(unquote, query.getlist("picked"))
    return list(dict.fromkeys([*query.getlist("item"), *carried]))


def _offers(served: ServedModel, rows: Iterable[int], picked: list[str], link: Link) -> list[Offer]:
    ids = served.model.items.text_of
    return [Offer(card_of(served, row), link([*picked, ids(row)])) for row in rows]


def _together(
    served: ServedModel,
    rows: Sequence[int],
    picked: list[str],
    link: Link,
    rules: Rules | None,
) -> tuple[list[Offer], str]:
    """Return what is similar to several picks taken together, or why there is nothing."""
    there, ids = served.similar_model, served.model.items
    known = [one for one in map(there.model.items.find, picked) if one is not None]
    if len(rows) < 2 or len(known) < 2:
        return [], ""
    try:
        allowed = queries.allowed(there, None, None, rules)
        near = queries.similar_to_set(there, known, _OFFERED, allowed=allowed)
    except (Unable, FitError, SettingError) as error:
        return [], clean(str(error))
    found = (ids.find(there.model.items.text_of(row)) for row, _ in near)
    offers = _offers(served, (row for row in found if row is not None), picked, link)
    return offers, "" if offers else "No item is similar to them."


def _but(picked: list[str], row: int, served: ServedModel) -> list[str]:
    undone = served.model.items.text_of(row)
    return [one for one in picked if one != undone]
