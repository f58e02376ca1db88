"""Lists with rules are those of a walk down the whole ranking, one by one as in batches."""

import numpy as np
import pytest

import alsolike as al
from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.errors import SettingError, UnknownId
from alsolike.models.base import FittedModel
from alsolike.recommending.baskets import similar_to_set
from alsolike.recommending.rules import limits as limiting
from alsolike.recommending.rules.rules import Allowed, Rules
from alsolike.recommending.rules.values import ItemValues
from alsolike.recommending.single import recommend_one, similar_to

N_USERS, N_ITEMS = 40, 60
KINDS = ("shoes", "boots", "shoes|sale", "gift")
FAMILIES = ("als", "item-knn", "ease", "popularity")
RULES = {
    "mask": Rules(only={"kind": ["shoes", "gift"]}, exclude={"kind": "sale"}),
    "limits": Rules(at_most={"artist": 1, "kind": 4}),
    "all": Rules(
        only={"kind": ["shoes", "gift"]}, at_most={"artist": 2}, one_of="name",
        available=[f"i{row:02d}" for row in range(0, N_ITEMS, 2)],
    ),
    # The rare artists lie deep in the ranking, below many of the common one.
    "deep": Rules(at_most={"common": 1}),
}  # fmt: skip


@pytest.fixture(scope="module")
def likes() -> Interactions:
    rng = np.random.default_rng(0)
    rows, columns = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.25)
    found = Interactions.from_columns(
        [f"u{row:02d}" for row in rows], [f"i{column:02d}" for column in columns]
    )
    assert (found.n_users, found.n_items) == (N_USERS, N_ITEMS)
    rare = {int(row): f"rare {row}" for row in np.argsort(found.item_counts)[:4]}
    columns = {
        "name": [f"Name {row // 2}" for row in range(N_ITEMS)],
        "artist": [f"A{row % 7}" if row % 11 else "" for row in range(N_ITEMS)],
        "kind": [KINDS[row % 4] for row in range(N_ITEMS)],
        "common": [rare.get(row, "common") for row in range(N_ITEMS)],
    }
    packed = {label: StringArray.pack(texts) for label, texts in columns.items()}
    catalogue = Catalogue.from_columns(packed, n_items=N_ITEMS)
    return Interactions(found.user_items, found.users, found.items, None, catalogue)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, likes: Interactions) -> FittedModel:
    settings = {"als": {"factors": 4, "iterations": 3}, "item-knn": {"neighbours": 8}}
    return al.fit(likes, family=request.param, **settings.get(request.param, {}))


def walk(model: FittedModel, rules: Rules, ranked: list[tuple], k: int) -> list[tuple]:
    """Return what the rules leave of a whole ranking: item and score, and more."""
    columns = model.catalogue.columns()

    def values(item: str, column: str) -> set[str]:
        text = columns[column][model.items.index_of(item)]
        return {text} if column == "name" else set(filter(None, text.split("|")))

    limits = [*rules.at_most, *((column, 1) for column in rules.one_of)]
    counts: dict[tuple[str, str], int] = {}
    found: list[tuple] = []
    for entry in ranked:
        item = entry[0]
        fits = all(values(item, column) & set(wanted) for column, wanted in rules.only)
        fits &= not any(values(item, column) & set(wanted) for column, wanted in rules.exclude)
        fits &= rules.available is None or item in rules.available
        own = [(column, one, most) for column, most in limits for one in values(item, column)]
        if fits and all(counts.get((column, one), 0) < most for column, one, most in own):
            for column, one, _ in own:
                counts[column, one] = counts.get((column, one), 0) + 1
            found.append(entry)
    return found[:k]


def lists_of(table: al.Table, owner: str, item: str, *more: str) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {}
    for row in table.rows():
        found.setdefault(row[owner], []).append(tuple(row[one] for one in (item, "score", *more)))
    return found


@pytest.mark.parametrize("name", RULES)
def test_recommendations_are_the_walk_down_the_whole_ranking(
    model: FittedModel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiting, "_CELLS", 64)
    monkeypatch.setattr(limiting, "_DEPTHS", 1)  # so that many lists are finished one by one
    rules, k = RULES[name], 6
    whole = lists_of(al.recommend(model, k=N_ITEMS), "user", "item", "basis")
    batch = lists_of(al.recommend(model, k=k, rules=rules), "user", "item", "basis")
    for user in model.users:
        assert batch.get(user, []) == walk(model, rules, whole[user], k), user
    for user in list(model.users)[:8]:
        one = lists_of(recommend_one(model, user, k=k, rules=rules), "user", "item", "basis")
        assert one == ({user: batch[user]} if user in batch else {})


@pytest.mark.parametrize("name", RULES)
def test_similar_items_are_the_walk_down_the_whole_ranking(model: FittedModel, name: str) -> None:
    rules, k = RULES[name], 6
    whole = lists_of(al.similar(model, k=N_ITEMS), "item", "similar_item")
    batch = lists_of(al.similar(model, k=k, rules=rules), "item", "similar_item")
    for item in model.items:
        assert batch.get(item, []) == walk(model, rules, whole.get(item, []), k), item
    for item in list(model.items)[:8]:
        one = lists_of(similar_to(model, item, k=k, rules=rules), "item", "similar_item")
        assert one.get(item, []) == batch.get(item, [])


def test_new_users_and_baskets_keep_the_rules(likes: Interactions) -> None:
    model, rules = al.fit(likes, factors=4, iterations=3), RULES["all"]
    for find in (
        lambda **how: al.recommend_for_likes(model, {"i01": 1, "i02": 1}, **how).to_dict(),
        lambda **how: similar_to_set(model, ["i01", "i02"], **how).to_dict(),
    ):
        whole, found = find(k=N_ITEMS), find(k=4, rules=rules)
        item = "item" if "item" in whole else "similar_item"
        ranked = list(zip(whole[item].tolist(), whole["score"].tolist(), strict=True))
        expected = walk(model, rules, ranked, 4)
        assert list(zip(found[item].tolist(), found["score"].tolist(), strict=True)) == expected


def test_users_without_likes_get_popular_items_that_fit(likes: Interactions) -> None:
    matrix = likes.user_items.copy()
    matrix.data[matrix.indptr[0] : matrix.indptr[1]] = -1  # only dislikes
    odd = Interactions(matrix, likes.users, likes.items, None, likes.catalogue)
    model, rules = al.fit(odd, factors=4, iterations=3), RULES["all"]
    whole = lists_of(al.recommend(model, "u00", k=N_ITEMS), "user", "item", "basis")["u00"]
    found = lists_of(al.recommend(model, "u00", k=5, rules=rules), "user", "item", "basis")["u00"]
    assert {basis for *_, basis in whole} == {"popularity"}
    assert found == walk(model, rules, whole, 5)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"only": {"knd": "shoes"}}, "column 'knd' .* the columns are .* Did you mean 'kind'"),
        ({"exclude": {"kind": "shoe"}}, "'shoe', .* the values are .* Did you mean 'shoes'"),
        ({"at_most": {"artst": 2}}, "at_most= asks for the column 'artst'"),
        ({"one_of": "nme"}, "one_of= asks for the column 'nme'"),
    ],
)
def test_unknown_columns_and_values_are_errors_with_the_nearest(
    likes: Interactions, rules: dict, said: str
) -> None:
    with pytest.raises(SettingError, match=said):
        al.recommend(al.fit_popularity(likes), ["u01"], rules=Rules(**rules))


@pytest.mark.parametrize(
    "rules",
    [
        {"only": "kind=shoes"}, {"only": {"kind": []}}, {"only": {"kind": ""}}, {"only": {3: "x"}},
        {"exclude": {"kind": 3}}, {"at_most": {"artist": 0}}, {"at_most": {"artist": 1.5}},
        {"at_most": ["artist"]}, {"one_of": 3},
    ],
)  # fmt: skip
def test_rules_of_another_form_are_refused(rules: dict) -> None:
    with pytest.raises(SettingError):
        Rules(**rules)


@pytest.mark.parametrize(
    "texts", [{"only": ["kind"]}, {"only": ["=x"]}, {"exclude": ["kind=a||b"]}, {"at_most": ["2"]},
              {"at_most": ["0:artist"]}, {"at_most": ["x:artist"]}],
)  # fmt: skip
def test_texts_of_another_form_are_refused(texts: dict) -> None:
    with pytest.raises(SettingError, match="= takes"):
        Rules.parsed(**texts)


def test_rules_that_say_nothing_change_nothing(likes: Interactions) -> None:
    model = al.fit(likes, factors=4, iterations=3)
    assert not Rules()
    assert not Rules.parsed(only=[""], at_most=[""])
    plain, ruled = al.recommend(model, k=5), al.recommend(model, k=5, rules=Rules())
    assert plain.to_dict().keys() == ruled.to_dict().keys()
    assert all((plain[name] == ruled[name]).all() for name in plain.column_names)
    with pytest.raises(SettingError, match=r"alsolike\.Rules"):
        al.recommend(model, rules={"at_most": {"artist": 2}})
    with pytest.raises(SettingError, match="include_self"):
        al.similar(model, affinity="cosine", popularity_bias=0, include_self=True, rules=Rules())


def test_available_ids_that_are_unknown_are_counted_and_none_known_is_an_error(
    likes: Interactions,
) -> None:
    model = al.fit_popularity(likes)
    found = Rules(available=["i03", "new", "i05"]).of(model)
    assert (found.unknown, int(found.may_appear.sum())) == (("new",), 2)
    with pytest.raises(UnknownId, match="no item of this model"):
        Rules(available=["new"]).of(model)
    with pytest.raises(UnknownId, match="at least one"):
        Rules(available=[]).of(model)


def test_a_model_without_columns_says_so(likes: Interactions) -> None:
    bare = Interactions(likes.user_items, likes.users, likes.items)
    with pytest.raises(SettingError, match="this model has none"):
        Rules(at_most={"artist": 2}).of(al.fit_popularity(bare))


def test_short_lists_are_explained() -> None:
    artists = ItemValues.of(["A", "A", "B", "B"])
    limits = limiting.Limits((limiting.Limit("artist", artists, 1),))
    allowed = Allowed(np.array([True, True, True, False]), limits)
    assert allowed.shortfall(2, 2) == ""
    assert (
        allowed.shortfall(9, 2) == "2 of 9 asked: only 2 items are allowed, at most 1 per artist."
    )
    assert "3 items are allowed" in allowed.shortfall(9, 1)
    assert allowed.notes(2, {"a": 2, "b": 2}, "user") == []


def test_values_of_a_column_of_names_are_whole_texts(likes: Interactions) -> None:
    names = StringArray.pack(["a|b"] * N_ITEMS)
    catalogue = Catalogue(N_ITEMS, names=names, more={"tags": names})
    model = al.fit_popularity(
        Interactions(likes.user_items, likes.users, likes.items, None, catalogue)
    )
    assert int(Rules(only={"tags": "b"}).of(model).may_appear.sum()) == N_ITEMS
    with pytest.raises(SettingError, match=r"the values are 'a\|b'"):
        Rules(only={"name": "b"}).of(model)
