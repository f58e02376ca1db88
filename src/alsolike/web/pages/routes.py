"""Renders the pages for search, items, users, models, reports and leaderboards."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from alsolike.models.similarity.config import check_bias
from alsolike.recommending.shared import MIN_COUNT
from alsolike.views.page import clean, web_origin
from alsolike.web.pages import features, profiles, reports, try_it
from alsolike.web.pages.base import (
    FOREVER,
    logged,
    missing,
    model_at_version,
    model_links,
    not_found,
    outside_id,
    page,
    query_of,
    redirect,
    requested_model,
    row_of,
    with_model,
)
from alsolike.web.pages.dial import dates_of, dial_of
from alsolike.web.pages.rules import form_of, given_rules, rules_in, with_parameters
from alsolike.web.service import service_of
from alsolike.web.serving import queries
from alsolike.web.serving.item_cards import ItemCard, address, card_of, picture_content, text_of
from alsolike.web.serving.registry import ServedModel
from alsolike.web.serving.similar_items import at_mark, lists_for, popular_rows
from alsolike.web.serving.user_queries import profile_of
from alsolike.web.templating import below

LENGTH = 10
_POPULAR = 24
_FOUND = 40
_HISTORY = 200
_FEATURES = 16
_SUGGESTED = 8
_SHORT = 32
_DRAWS = 32
_AN_HOUR = "private, max-age=3600"

# An SVG opened by itself could run scripts; the sandbox gives it no origin.
_PICTURE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Link:
    """A link to the web."""

    address: str
    words: str


def start(request: Request) -> Response:
    """Show the search, and the most liked items."""
    served = requested_model(request)
    query = query_of(request)
    found = _cards(served, served.index.find(query, limit=_FOUND)) if query else []
    if len(found) == 1 and web_origin(query) is not None:
        return redirect(found[0].address)  # a pasted link means that item
    history = served.model.history
    return page(
        request,
        "start.html",
        query=clean(query),
        found=found,
        popular=[] if query else _cards(served, popular_rows(served, _POPULAR)),
        n_items=len(served.model.items),
        n_users=len(served.model.users),
        n_likes=0 if history is None else history.user_items.nnz,
    )


def anything(request: Request) -> Response:
    """Redirect to a random item, preferably one with neighbours."""
    model = requested_model(request).model
    if not len(model.items):
        return missing(request, "item", "This model has no items.")
    for _ in range(_DRAWS):
        row = secrets.randbelow(len(model.items))
        if model.item_counts[row] >= MIN_COUNT:
            break
    return redirect(address("item", model.items.text_of(row)))


def item(request: Request) -> Response:
    """Show one item, and its similar items in each model, at a mark of the dial."""
    service = service_of(request)
    models = service.registry.served
    wanted, bias = outside_id(request), _bias(request)
    known = ((one, one.model.items.find(wanted)) for one in models.values())
    served, row = next(((one, row) for one, row in known if row is not None), (None, None))
    if served is None or row is None:
        hint = queries.hint_of(service.registry.of(None), wanted) if wanted else ""
        return missing(
            request, "item", f"No model here has an item with the id {wanted!r}. {hint}".strip()
        )
    comparing = [one.similar_model for one in models.values()]
    given = rules_in(request)

    def keep(other: str) -> str:
        return with_parameters(at_mark(other, bias), given)

    logged(request, served.similar_model)
    card = card_of(served, row)
    # The default model may lack this item.
    model = None if served is service.registry.of(None) else served.name
    return page(
        request,
        "item.html",
        card=card,
        short_name=clean(card.name, most=_SHORT),
        links=list(_links_out(served, row)),
        features=features.of_item(served, row, model),
        n_features=_FEATURES,
        suggested=features.suggested_for(served, row, _SUGGESTED, model),
        lists=lists_for(
            comparing,
            wanted,
            k=LENGTH,
            popularity_bias=bias,
            rules=given_rules(request),
            keep=keep,
            featured=list(models.values()),
        ),
        dial=dial_of(comparing, with_parameters(card.address, given), bias),
        rules=form_of(request, served.similar_model.model, *_parts(at_mark(card.address, bias))),
        as_of=dates_of(comparing),
        try_address=try_it.address_with([wanted], model),
        map_of_item=with_model(model, _on_map(wanted)) if served.has_map else "",
    )


def user(request: Request) -> Response:
    """Show a user's likes and recommendations, and the likes behind each."""
    service = service_of(request)
    served = requested_model(request)
    wanted = outside_id(request)
    if not wanted:
        return _any_user(request, served)
    if "model" not in request.query_params and wanted not in served.model.users:
        knowing = (one for one in service.registry.served.values() if wanted in one.model.users)
        served = logged(request, next(knowing, served))
    profile = profile_of(served, wanted, service.state.likes_of(wanted))
    if not profile.known and not profile.values and not profile.ignored:
        why = f"Model {served.name} has no user {wanted!r}, and no likes of this user."
        return missing(request, "user", why)
    rules, given = given_rules(request), rules_in(request)
    suggested = profiles.suggestions_for(served, profile, k=LENGTH, rules=rules)
    here = with_model(request.query_params.get("model"), address("user", wanted))
    return page(
        request,
        "user.html",
        user=clean(wanted, most=120),
        profile=profile,
        history=profiles.likes_shown(served, profile, most=_HISTORY),
        with_history=served.model.history is not None,
        folds_in=served.folds_in,
        lists_by_likes=served.lists_by_likes,
        counted=any(value != 1 for value in profile.values.values()),
        dislikes=any(value < 0 for value in profile.values.values()),
        likes_any=any(value > 0 for value in profile.values.values()),
        suggestions=suggested.entries,
        basis=suggested.basis,
        fault=suggested.fault,
        note=suggested.note,
        rules=form_of(request, served.model, *_parts(here)),
        chosen=served.name,
        models=model_links(request, with_parameters(address("user", wanted), given)),
    )


def picture(request: Request) -> Response:
    """Send an image of the item table."""
    served = model_at_version(request)
    row = None if served is None else row_of(request.path_params["row"], served)
    found = None if served is None or row is None else picture_content(served, row)
    if found is None:
        return not_found()
    kind, content = found
    # A file may change, a version of a model does not.
    kept = _AN_HOUR if served is not None and served.pictures else FOREVER
    headers = {"Cache-Control": kept, "Content-Security-Policy": _PICTURE_POLICY}
    return Response(content, media_type=kind, headers=headers)


def about(request: Request) -> Response:
    """Show the served models."""
    models = service_of(request).registry.served.values()
    shown = [one for served in models for one in reports.shown(served)]
    return page(request, "about.html", models=shown, n_slots=len(models))


def report(request: Request) -> Response:
    """Send the run's report."""
    found = reports.report(requested_model(request))
    return found or missing(request, "report", "There is none next to the model.")


def leaderboard(request: Request) -> Response:
    """Show the run's leaderboard."""
    served = requested_model(request)
    board = reports.leaderboard(served)
    if board is None:
        return missing(request, "leaderboard", "There is no readable one next to the model.")
    return page(request, "leaderboard.html", served=served, board=board)


def _bias(request: Request) -> float | None:
    """Return the mark of the dial in the query; None: each model's own.

    Raises
    ------
    SettingError
        It is not a number from 0 to 1.
    """
    text = request.query_params.get("popularity_bias")
    if text is None:
        return None
    try:
        return check_bias(float(text))
    except ValueError:
        return check_bias(text[:_SHORT])


def _parts(address: str) -> tuple[str, list[tuple[str, str]]]:
    """Return an address without its query, and the parameters."""
    path, _, query = address.partition("?")
    return path, parse_qsl(query)


def _cards(served: ServedModel, rows: Iterable[int]) -> list[ItemCard]:
    return [card_of(served, row) for row in rows]


def _on_map(item: str) -> str:
    return below(f"/map?{urlencode({'item': item})}")


def _any_user(request: Request, served: ServedModel) -> Response:
    """Show the form for a user id, with a link to a random user."""
    users = served.model.users
    some = address("user", users.text_of(secrets.randbelow(len(users)))) if len(users) else ""
    return page(request, "users.html", some=some, n_users=len(users))


def _links_out(served: ServedModel, row: int) -> Iterable[Link]:
    """Yield links to the item's own page, and to an image that is not loaded."""
    link = text_of(served.model.catalogue, "links", row).strip()
    host = web_origin(link)
    if host is not None:
        yield Link(link, clean(host.partition("://")[2], most=60))
    image = text_of(served.model.catalogue, "images", row).strip()
    origin = web_origin(image)
    if origin is not None and origin not in served.image_origins:
        yield Link(image, "its image")
