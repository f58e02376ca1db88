"""A family from outside, and a model made of models, go all the way; only `FAMILIES` knows them."""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import alsolike as al
import record_compatibility as outward
from alsolike.errors import BundleError
from alsolike.models.protocols import Explains, FoldsIn, FoldsInItems, HasFactors, ItemScorer
from alsolike.models.registry import FAMILIES, names
from alsolike.pipeline.run import run_job
from alsolike.recommending.model_diff import diff
from alsolike.testing import CONTRACT, tiny_likes
from alsolike.tuning.options import Searching
from alsolike.web.serving.deploy import swap
from alsolike.web.serving.state_store import Store
from command import fine, refused
from forged import rewrite
from serving import client_of, settings_of, wait_for
from toy_family import CoCountsConfig, CoCountsFamily
from toy_pair import PairConfig, PairFamily

LIKES = tiny_likes(60, 40)
EVERYTHING = slice(None)
OTHER = {  # not the defaults
    "co-counts": {"damping": 0.25},
    "pair": {
        "first": al.EASEConfig(regularization=50.0),
        "second": CoCountsConfig(),
        "weight": 0.3,
    },
}


@pytest.fixture(params=[CoCountsFamily, PairFamily], ids=["co-counts", "pair"])
def family(request):
    added = [CoCountsFamily(), PairFamily()]
    FAMILIES.extend(added)
    yield next(one for one in added if isinstance(one, request.param))
    for one in added:
        FAMILIES.remove(one)


@pytest.fixture
def model(family):
    return al.fit(LIKES, family=family.name)


@pytest.fixture
def bundle(model, tmp_path):
    """Return the folder of a model, laid out as a run does, with a report beside it."""
    folder = tmp_path / "run" / "model"
    al.save(model, folder, metrics={"ndcg@10": 0.25})
    (tmp_path / "run" / "report.html").write_text("<!doctype html><title>A report</title>")
    shutil.copy(outward.HERE / "leaderboard.csv", tmp_path / "run")
    return folder


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_it_keeps_to_the_contract(family, check):
    check(lambda likes: al.fit(likes, family=family.name))
    check(lambda likes: al.fit(likes, family=family.name, **OTHER[family.name]))


def test_only_the_list_of_families_knows_it(family):
    assert family.name in names()
    FAMILIES.remove(family)
    with pytest.raises(al.AlsolikeError, match=f"Unknown model '{family.name}'; known are als"):
        al.fit(LIKES, family=family.name)
    with pytest.raises(al.AlsolikeError, match=f"Its family '{family.name}' is unknown"):
        al.fit(LIKES, family.config(**OTHER[family.name]))
    FAMILIES.append(family)


def test_it_is_fitted_and_can_do_all_but_factors(family, model):
    config = family.config(**OTHER[family.name])
    fitted = al.fit(LIKES, config)
    named = al.fit(LIKES, family=family.name, **OTHER[family.name])
    assert (
        fitted.scores(EVERYTHING, EVERYTHING).tobytes()
        == named.scores(EVERYTHING, EVERYTHING).tobytes()
    )
    assert family.config.from_settings(json.loads(json.dumps(fitted.settings))) == config
    for protocol in (ItemScorer, FoldsIn, FoldsInItems, Explains):
        assert isinstance(model, protocol)
    assert not isinstance(model, HasFactors)
    with pytest.raises(al.AlsolikeError, match=f"'{family.name}' has no setting 'dampin'"):
        al.fit(LIKES, family=family.name, dampin=1)


def test_it_answers_as_it_scores(model):
    user, likes = model.users.id_of(3), LIKES.user_items[[3]]
    scores = model.scores(np.array([3]), EVERYTHING)[0]
    table = al.recommend(model, [user], k=40)
    listed = [model.items.index_of(one) for one in table["item"].tolist()]
    assert not set(listed) & set(likes.indices.tolist())
    assert table["score"].tolist() == np.sort(scores[listed])[::-1].tolist()
    assert scores[listed].tolist() == table["score"].tolist()
    stranger = {model.items.id_of(row): float(value) for row, value in
                zip(likes.indices, likes.data, strict=True)}  # fmt: skip
    folded = al.recommend_for_likes(model, stranger, k=5)
    assert folded["item"].tolist() == table["item"].tolist()[:5]

    top = folded["item"].tolist()[0]
    explained = al.explain(model, user, top)
    assert explained.score == pytest.approx(float(scores[model.items.index_of(top)]), rel=1e-5)

    near = al.similar(model, [top], k=3)
    block = model.item_scores(np.array([model.items.index_of(top)]), EVERYTHING)[0]
    block[model.items.index_of(top)] = -np.inf
    assert near["score"].tolist()[0] == block[model.item_counts >= 2].max()


def test_it_is_evaluated_and_compared(model):
    split = al.hold_out(LIKES, k=2)
    config = model.config
    fitted = al.fit(split.train, config)
    found = al.evaluate(fitted, split.test, exclude=split.train, k=5)
    assert found.mean("ndcg@5") > al.evaluate(
        al.fit(split.train, family="random"), split.test, exclude=split.train, k=5
    ).mean("ndcg@5")
    again = diff(model, al.fit(LIKES, config))
    assert again.mean_change == 0
    assert diff(model, al.fit(LIKES, family="popularity")).mean_change > 0


def test_it_is_searched_chosen_and_published(family, tmp_path):
    job = al.Job(
        source=LIKES.user_items,
        out=tmp_path / "out",
        held_out=2,
        k=5,
        min_per_user=1,
        min_per_item=1,
        search=Searching(families=[family.name]),
    )
    outcome = run_job(job)
    assert isinstance(outcome.model, family.model)
    board = (tmp_path / "out" / "leaderboard.csv").read_text(encoding="utf-8")
    assert board.count(f",{family.name} (") + board.count(f'"{family.name} (') == len(
        family.search_space(None)
    )
    assert isinstance(al.load(tmp_path / "out" / "model"), family.model)
    assert f"Published: {family.name} (" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_it_is_a_candidate_beside_als(family):
    split = al.hold_out(LIKES, k=2)
    space = family.search_space(None)
    found = al.search(
        split, [al.ALSConfig(factors=2)], sweeps=[1], objective="precision@5", candidates=space
    )
    rows = [row for row in found.rows if row.family == family.name]
    assert [row.config for row in rows if row.rank is not None]
    assert {row.config for row in rows} == set(space) if family.name == "co-counts" else rows
    assert found.best in [al.ALSConfig(factors=2, iterations=1), *space]


def test_the_verbs_take_it(family, bundle, tmp_path):
    rows = LIKES.user_items.tocoo()
    lines = [
        f"{LIKES.users.id_of(int(row))},{LIKES.items.id_of(int(column))}"
        for row, column in zip(rows.row, rows.col, strict=True)
    ]
    table = tmp_path / "likes.csv"
    table.write_text("user,item\n" + "\n".join(lines) + "\n", encoding="utf-8")
    made, setting = tmp_path / "made", "weight=0.7" if family.name == "pair" else "damping=0.7"
    fine("fit", table, "--family", family.name, "--set", setting, "--to", made, "--quiet")
    assert al.load(made).settings[setting.partition("=")[0]] == 0.7
    assert "has no setting" in refused(
        "fit", table, "--family", family.name, "--set", "x=1", "--to", made
    )
    item, user = LIKES.items.id_of(0), LIKES.users.id_of(0)
    assert family.name in fine("describe", bundle).output
    fine("similar", bundle, item)
    fine("recommend", bundle, user)
    fine("explain", bundle, user, item)
    fine("evaluate", bundle, table, "--keep-seen", "--k", 5)
    fine("gallery", bundle, item, "--to", tmp_path / "gallery.html")
    fine("export", bundle, "--to", tmp_path / "files", "--users", "--quiet")
    assert "within the limit" in fine("diff", bundle, bundle, "--fail-over", 0).output
    fine("fit", table, "--from", bundle, "--add", "--to", tmp_path / "more", "--quiet")


# What needs factors, and says so on its page: the map of all items.
WITHOUT_FACTORS = ("/map",)


def test_it_is_served_on_every_route_and_page(bundle, tmp_path):
    recorded = json.loads((outward.HERE / "service.json").read_text(encoding="utf-8"))
    settings = settings_of(tmp_path / "state", bundle, swap_token=outward.SWAP_TOKEN)
    with client_of(settings) as client:
        requests = [
            [word.replace("model=als", f"model={name}") if isinstance(word, str) else word
             for name in [client.app.state.service.registry.of(None).name] for word in one]
            for one in outward.REQUESTS
        ]  # fmt: skip
        for told, before in zip(
            outward.answers(client, requests), recorded["answers"], strict=True
        ):
            asks_for_dial = "popularity_bias" in f"{told['request']}"
            expected = 422 if asks_for_dial else before["status"]  # neither family has one
            assert told["status"] == expected, (told, before)
        assert outward.pages(client, outward.PAGES)
        name = client.app.state.service.registry.of(None).name
        pages = [[verb, path.replace("/als/", f"/{name}/")] for verb, path in outward.PAGES]
        for told, before in zip(outward.pages(client, pages), recorded["pages"], strict=True):
            if not told["request"][1].startswith(WITHOUT_FACTORS):
                assert told["status"] == before["status"], (told, before)
            assert told["status"] < 500, told


def is_served(client, name, version):
    return client.get("/readyz").json()["models"][name] == version


def test_it_is_swapped_for_another_and_back(family, bundle, tmp_path):
    al.save(al.fit(LIKES, factors=4, iterations=2), tmp_path / "als")
    for first, second in ((bundle, tmp_path / "als"), (tmp_path / "als", bundle)):
        settings = settings_of(tmp_path / f"state of {first.name}", first)
        with client_of(settings) as client, Store(settings.state) as state:
            name = client.app.state.service.registry.of(None).name
            done = swap(settings, state, name, second)
            wait_for(partial(is_served, client, name, done.version), 5)
            assert client.get("/api/v1/items/a0/similar").status_code == 200


def test_a_damaged_or_forged_bundle_is_refused(model, bundle):
    path = bundle / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(al.AlsolikeError, match=r"model\.safetensors: .* bytes expected"):
        al.load(bundle)
    path.write_bytes(content)
    with pytest.raises(al.AlsolikeError, match="cannot be saved"):
        al.save(with_nan(model), bundle.parent / "other")


@pytest.mark.parametrize(
    ("forged", "message"),
    [
        ({"first": {"alpha": "much"}}, "alpha must be a finite number"),
        ({"second": {"model": "wide"}}, "Unknown model 'wide'"),
        ({"weight": 3}, "weight must be above 0 and below 1, not 3"),
        ({"third": {}}, "Unknown settings"),
        ({"second": {"model": "ease"}}, "tensor 'second.weights': .* missing"),
    ],
)
def test_forged_settings_inside_of_others_are_refused(forged, message, tmp_path):
    added = PairFamily()
    FAMILIES.append(added)
    try:
        al.save(al.fit(LIKES, family="pair"), tmp_path / "model")
        rewrite(tmp_path / "model", lambda stated: stated["settings"].update(forged))
        with pytest.raises(BundleError, match=message):
            al.load(tmp_path / "model")
    finally:
        FAMILIES.remove(added)


def with_nan(model):
    if isinstance(model.config, PairConfig):
        factors = model.first.user_factors.copy()
        factors[0, 0] = np.nan
        return replace(model, first=replace(model.first, user_factors=factors))
    counts = model.together.copy()
    counts.data[0] = np.nan
    return replace(model, together=counts)


def test_a_model_inside_of_another_has_its_sweeps_and_its_own_names(tmp_path):
    added = PairFamily()
    FAMILIES.append(added)
    try:
        inner = PairConfig(first=al.ALSConfig(factors=2, iterations=3), second=al.EASEConfig())
        config = PairConfig(first=inner, second=al.ALSConfig(factors=3, iterations=2))
        model = al.fit(LIKES, config)
        al.save(model, tmp_path / "model")
        loaded = al.load(tmp_path / "model")
        assert loaded.config == model.config
        assert model.config.second == config.second.for_table(LIKES)
        assert (loaded.first.first.sweeps, loaded.second.sweeps) == (3, 2)
        assert (
            loaded.scores(EVERYTHING, EVERYTHING).tobytes()
            == model.scores(EVERYTHING, EVERYTHING).tobytes()
        )
        assert not loaded.first.first.user_factors.flags.owndata
    finally:
        FAMILIES.remove(added)
