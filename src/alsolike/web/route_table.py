"""Lists every route of the API and of the pages, and mounts them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fastapi import FastAPI
from starlette.responses import Response

from alsolike.web.api import admin, by_features, likes, schemas
from alsolike.web.api import routes as api
from alsolike.web.api.path_ids import OutsideRoute
from alsolike.web.api.schema_bases import REFUSALS, Refused
from alsolike.web.pages import compare, features, try_it
from alsolike.web.pages import map as map_page
from alsolike.web.pages import routes as pages
from alsolike.web.pages.base import page_route
from alsolike.web.pages.rules import PARAMETERS as RULES
from alsolike.web.query_parameters import QueryParameters
from alsolike.web.templating import static_route


class Endpoint(NamedTuple):
    """A route of the API; without an `answer` it is not in the OpenAPI description."""

    method: str
    path: str
    function: Callable[..., Any]
    answer: type | None
    status: int = 200


class Page(NamedTuple):
    """A page of the app, its single and its repeatable query parameters."""

    path: str
    function: Callable[..., Response]
    once: tuple[str, ...] = ()
    often: tuple[str, ...] = ()
    method: str = "GET"


_MAY_CONFLICT = (schemas.TakenBack, schemas.SwapAnswer)
_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Refused}}
_ROOT = "/api/v1"
_ITEM, _USER = f"{_ROOT}/items/{{item_id:outside}}", f"{_ROOT}/users/{{user_id:outside}}"

# A path that ends in an id matches all longer ones, so it comes after them.
API: tuple[Endpoint, ...] = (
    Endpoint("GET", f"{_ITEM}/similar", api.similar_items, schemas.Similar),
    Endpoint("GET", f"{_ROOT}/similar", api.similar_items_by_query, schemas.Similar),
    Endpoint("POST", f"{_ROOT}/similar", api.similar_to_these, schemas.SimilarToSet),
    Endpoint("GET", f"{_ITEM}/explanations", api.explain_neighbours, schemas.Neighbourhood),
    Endpoint("GET", f"{_ROOT}/features", by_features.find_features, by_features.FoundFeatures),
    Endpoint(
        "GET",
        f"{_ROOT}/features/items",
        by_features.items_for_features,
        by_features.ItemsForFeatures,
    ),
    Endpoint(
        "GET",
        f"{_ROOT}/features/recommendations",
        by_features.recommend_for_features,
        by_features.ItemsForFeatures,
    ),
    Endpoint(
        "GET",
        f"{_ROOT}/features/suggested",
        by_features.suggest_features_by_query,
        by_features.ItemFeatures,
    ),
    Endpoint(
        "GET",
        f"{_ITEM}/features/suggested",
        by_features.suggest_features,
        by_features.ItemFeatures,
    ),
    Endpoint("POST", f"{_ROOT}/items", by_features.add_new_items, by_features.NewItemsAnswer, 201),
    Endpoint("GET", f"{_ROOT}/items", api.find_items, schemas.Found),
    Endpoint("GET", _ITEM, api.one_item, schemas.ItemAnswer),
    Endpoint("GET", f"{_ROOT}/item", api.one_item_by_query, schemas.ItemAnswer),
    Endpoint("GET", f"{_USER}/recommendations", api.recommend_to_user, schemas.Recommended),
    Endpoint(
        "GET", f"{_ROOT}/recommendations", api.recommend_to_user_by_query, schemas.Recommended
    ),
    Endpoint("POST", f"{_ROOT}/recommendations", api.recommend_for_these, schemas.Recommended),
    Endpoint("GET", f"{_USER}/explanations", api.explain_recommendation, schemas.Explained),
    Endpoint("GET", f"{_ROOT}/model", api.models, schemas.Models),
    Endpoint("POST", f"{_USER}/likes", likes.like, schemas.Kept, 201),
    Endpoint("POST", f"{_ROOT}/likes", likes.like_by_query, schemas.Kept, 201),
    Endpoint(
        "DELETE", f"{_USER}/likes/{{item_id:outside}}", likes.take_like_back, schemas.TakenBack
    ),
    Endpoint("DELETE", f"{_ROOT}/likes", likes.take_like_back_by_query, schemas.TakenBack),
    Endpoint("POST", f"{_ROOT}/model/swap", admin.swap_model, schemas.SwapAnswer),
    Endpoint("GET", "/healthz", admin.alive, schemas.Health),
    Endpoint("GET", "/readyz", admin.ready, schemas.Health),
    Endpoint("GET", "/openapi.json", admin.description, None),
    Endpoint("GET", "/metrics", admin.measured, None),
)

PAGES: tuple[Page, ...] = (
    Page("/", pages.start, once=("q", "model")),
    Page("/random", pages.anything, once=("model",)),
    Page("/item", pages.item, once=("id", "popularity_bias"), often=RULES),
    Page("/items/{outside_id:outside}", pages.item, once=("popularity_bias",), often=RULES),
    Page("/user", pages.user, once=("id", "model"), often=RULES),
    Page("/users/{outside_id:outside}", pages.user, once=("model",), often=RULES),
    Page("/try", try_it.try_it, once=("q", "model"), often=("item", "picked", *RULES)),
    Page("/map", map_page.map_page, once=("item", "q", "model")),
    Page("/map/points/{model}/{version}", map_page.map_points),
    Page("/map/names/{model}/{version}", map_page.map_names),
    Page("/map/item/{model}/{version}", map_page.map_item, once=("row", "id")),
    Page("/features", features.features, once=("q", "model"), often=("feature", *RULES)),
    Page("/pictures/{model}/{version}/{row}", pages.picture),
    Page("/compare", compare.compare, once=("pair",)),
    Page("/compare", compare.cast, method="POST"),
    Page("/compare/result", compare.result, once=("pair",)),
    Page("/about", pages.about),
    Page("/report", pages.report, once=("model",)),
    Page("/leaderboard", pages.leaderboard, once=("model",)),
    Page("/docs", admin.documentation),
)


def mount(app: FastAPI) -> None:
    """Add all routes of the tables, and that of the static files, to `app`."""
    for one in API:
        app.router.add_api_route(
            one.path,
            one.function,
            methods=[one.method],
            response_model=one.answer,
            status_code=one.status,
            responses=REFUSALS | (_CONFLICT if one.answer in _MAY_CONFLICT else {}),
            include_in_schema=one.answer is not None,
            route_class_override=OutsideRoute,
        )
    for page in PAGES:
        parameters = QueryParameters(page.once, page.often, for_people=True)
        app.routes.append(page_route(page.path, page.function, parameters, page.method))
    app.routes.append(static_route())
