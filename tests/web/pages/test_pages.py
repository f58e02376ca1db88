"""The app's pages, read as text: what stands on them, and that hostile texts stay texts."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from urllib.parse import quote, unquote

import numpy as np
import pytest

from web_bundles import HOSTILE, PNG, PNG_ADDRESS, model_of, saved

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from starlette.testclient import TestClient

from alsolike.data.interactions import Interactions
from alsolike.errors import SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.similarity.config import FEW_LIKES
from alsolike.recommending.single import recommend_for_likes, recommend_one
from alsolike.web import templating
from alsolike.web.app import create_app
from alsolike.web.serving.item_cards import address
from alsolike.web.settings import Settings, Slot

ODD_IDS = ("..", ".", "a/b", "a?b#c", "two\nlines", "x/similar", "../../etc", "ñ 日", "'\"<")
N_ITEMS = 60
IDS = tuple(f"i{row:02}" for row in range(N_ITEMS - len(ODD_IDS))) + ODD_IDS
NAMES = tuple(f"Name {row}" if row % 7 else "" for row in range(N_ITEMS))
SVG = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
IMAGES = (PNG_ADDRESS, SVG, "https://pictures.example/1.png", "data:image/png;base64,!!", "x.png")
OWN = {"origin": "http://127.0.0.1"}
MINUS = "\N{MINUS SIGN}"
LINKS = ("https://items.example/1", "javascript:alert(1)")


@dataclasses.dataclass
class Opened:
    """A service in this process, and the models that it serves."""

    client: TestClient
    models: list
    service: object

    def get(self, path, status=200):
        answer = self.client.get(path, follow_redirects=False)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
        return answer.text


def opened(folder, *models, **settings):
    places = tuple(
        Slot(f"m{at}", saved(model, folder / f"run{at}" / "model", metrics={"ndcg@10": 0.25}))
        for at, model in enumerate(models)
    )
    for name, text in settings.pop("aside", {}).items():
        (folder / "run0" / name).write_text(text, encoding="utf-8")
    chosen = {"rate": 0, "log": "", **settings}
    app = create_app(Settings(models=places, state=folder / "serving", **chosen))
    client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    return Opened(client, list(models), app.state.service)


def ordinary(seed=0, shown=IMAGES, **more):
    images = [*shown, *[""] * (N_ITEMS - len(shown))]
    links = [*LINKS, *[""] * (N_ITEMS - len(LINKS))]
    return model_of(IDS, NAMES, images=images, links=links, seed=seed, **more)


REPORT = "<!doctype html><title>r</title><script>fetch('/api/v1/items')</script>"
LEADERBOARD = "rank,model,validation_ndcg@10\n1,als,0.123456789\n2,<script>alert(1)</script>,\n"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    aside = {"report.html": REPORT, "leaderboard.csv": LEADERBOARD}
    return opened(folder, ordinary(), ordinary(seed=1), aside=aside)


class Page(HTMLParser):
    """The elements of a page, its links, and its text as a reader sees it."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def links(self, beginning):
        found = [more.get("href", "") for tag, more in self.elements if tag == "a"]
        return list(dict.fromkeys(href for href in found if href.startswith(beginning)))


def assert_inert(text, *, remote=()):
    """Assert that nothing in a page runs, loads or leads but what its own templates say."""
    for tag, more in Page(text).elements:
        assert not [name for name in more if name.startswith("on") or name in ("style", "srcdoc")]
        assert tag not in ("iframe", "object", "embed", "base", "style")
        if tag == "script":
            assert re.fullmatch(r"/static/[a-z]+\.[0-9a-f]{12}\.js", more["src"])
        if tag == "meta":
            assert set(more) <= {"charset", "name", "content"}
        if tag == "form":
            assert more["action"] in ("/", "/try", "/map", "/user", "/compare")
        for name in ("src", "href", "action"):
            where = more.get(name, "/")
            assert where.startswith(("/", "#", *remote)), where
            assert not where.startswith("//"), where


def test_pages_of_an_item_that_the_first_model_lacks_ask_the_one_that_knows_it(tmp_path):
    few = model_of([f"a{row}" for row in range(9)], [f"A {row}" for row in range(9)])
    many = ordinary(n_users=40)
    both = opened(tmp_path, few, many)
    shown = Page(both.get("/items/i05"))
    (picking,), (chart,) = shown.links("/try?"), shown.links("/map?")
    assert picking == "/try?item=i05&model=m1"
    picked = Page(both.get(picking))
    assert picked.links("/items/i05")
    assert "not known here" not in picked.text
    assert all(href.endswith("model=m1") for href in picked.links("/try?item=i05&item="))
    assert ("input", {"type": "hidden", "name": "model", "value": "m1"}) in picked.elements
    assert len(picked.links("/try?item=i05&item=")) == 10
    assert [more for _, more in Page(both.get(chart)).elements if "data-chosen" in more]
    assert "m1" in Page(both.get("/items/a1")).text
    assert Page(both.get("/items/a1")).links("/map?") == ["/map?item=a1"]
    user = next(one for one in many.users if one not in few.users)
    assert "Model m0 was not trained" not in Page(both.get(f"/user?id={user}")).text


def test_one_item_and_a_model_without_likes_are_told_in_plain_words(tmp_path):
    likes = Interactions.from_columns(["ann"], ["a"])
    one = opened(tmp_path / "one", fit(likes, ALSConfig(factors=2)))
    assert "1 item, 1 like of 1 user." in Page(one.get("/")).text
    assert "No other item has likes yet." in Page(one.get("/items/a")).text
    assert "1 item, placed by the direction of its factors" in Page(one.get("/map")).text
    bare = opened(tmp_path / "bare", dataclasses.replace(ordinary(), history=None))
    user = Page(bare.get(f"/user?id={bare.models[0].users.id_of(1)}")).text
    assert "what each like adds" not in user
    assert "saved without its likes" in user
    item = Page(bare.get("/items/i05")).text
    assert not re.search(r"(\d+) likes Only \1 likes", item)


def test_metrics_and_log_know_pages_by_their_routes_and_models(tmp_path):
    log = tmp_path / "access.jsonl"
    one = opened(tmp_path, ordinary(), log=str(log))
    asked = {
        "/items/i05": "/items/{outside_id}",
        "/item?id=..": "/item",
        "/users/user%204": "/users/{outside_id}",
        "/api/v1/items/i05/similar": "/api/v1/items/{item_id}/similar",
        "/api/v1/items/i05/similar?k=3&min_count=3": "/api/v1/items/{item_id}/similar",
        "/?q=x": "/",
        "/map": "/map",
        "/docs": "/docs",
    }
    for path in asked:
        one.get(path)
    one.get("/items/none", 404)
    one.get(next(more["href"] for tag, more in Page(one.get("/")).elements if tag == "link"))
    one.get("/nowhere", 404)
    told = one.get("/metrics")
    for route in (*asked.values(), "/static/{name}"):
        assert f'method="GET",route="{route}",status="200"' in told, route
    assert 'route="(unmatched)",status="404"' in told
    assert 'route="(unmatched)",status="200"' not in told
    lines = [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()]
    version = one.service.registry.of(None).version
    known = {line["path"]: line["version"] for line in lines}
    for path in ("/items/i05", "/item", "/users/user 4", "/", "/map"):
        assert version.startswith(known[path]), path
        assert known[path], path


def test_a_link_leads_to_its_item_and_long_ids_are_found(tmp_path):
    long = "🎸" * 1000
    ids = ["b-1", "b-2", long, "x" * 3000]
    links = ["https://shop.example/one", "", "", ""]
    one = opened(tmp_path, model_of(ids, ["Boots", "Laces", "Long", "Longer"], links=links))
    for pasted, item in (
        ("https://shop.example/one#reviews", "b-1"),
        ("http://other.example/p/b-2?from=mail", "b-2"),
        (f"http://other.example/items/{quote(long)}", long),
    ):
        found = one.client.get("/", params={"q": pasted}, follow_redirects=False)
        assert (found.status_code, found.headers["location"]) == (303, address("item", item))
    for outside in ids:
        assert "1 found" in Page(one.client.get("/", params={"q": outside}).text).text
    assert "Nothing found" in Page(one.get("/?q=https://other.example/nothing")).text


def test_every_page_says_what_it_is(app):
    paths = ("/", "/?q=Name", "/?q=zzzz", "/items/i01", "/user", "/users/user%201", "/try")
    for path in (*paths, "/try?item=i01&q=Name", "/map", "/about", "/leaderboard"):
        text = app.get(path)
        page = Page(text)
        assert [tag for tag, _ in page.elements].count("h1") == 1, path
        assert ("html", {"lang": "en"}) in page.elements
        assert_inert(text, remote=("https://items.example/", "https://pictures.example/"))


def test_the_start_page_shows_the_most_liked_and_finds(app):
    (model, _) = app.models
    best = np.lexsort((np.arange(N_ITEMS), -model.item_counts))[:5]
    page = Page(app.get("/"))
    assert page.links("/item")[:5] == [address("item", model.items.id_of(row)) for row in best]
    assert f"{N_ITEMS} items" in page.text
    found = Page(app.get("/?q=Name+11"))
    assert address("item", IDS[11]) in found.links("/item")
    assert "Nothing found" in app.get("/?q=qqqqqqqqqqqq")
    for query in ("%00", "%22*", "a" * 5000, "%ff%fe", "AND OR NOT", "%F0%9F%99%82"):
        app.get(f"/?q={query}")
    app.get("/?q=&q=2", 422)


@pytest.mark.parametrize("outside", IDS[-len(ODD_IDS) :])
def test_ids_of_any_text_lead_to_their_pages(app, outside):
    where = address("item", outside)
    page = Page(app.get(where))
    assert "like" in page.text
    assert f"/try?item={outside}" == unquote(page.links("/try?")[0]).replace("+", " ")


def test_an_item_page_shows_a_list_of_each_model_and_why(app):
    (first, second) = app.models
    row = int(np.argmax(first.item_counts))
    outside = first.items.id_of(row)
    text = app.get(address("item", outside))
    page = Page(text)
    for heading in ("m0", "m1", "popularity"):
        assert re.search(rf"<h2[^>]*>{heading}</h2>", text)
    liked = (first.history.user_items.toarray() > 0).T
    models = app.service.registry.served
    for model, served in zip((first, second), models.values(), strict=True):
        near, _ = served.neighbours.similar(row, 10)
        for other in near:
            assert address("item", model.items.id_of(other)) in page.links("/item")
            both, likers = int((liked[row] & liked[other]).sum()), int(liked[row].sum())
            if both > 2:
                name = served.model.catalogue.name_of(row) or outside
                assert f"{both} of the {likers} who like {name} like it; the model " in page.text
    for where in page.links("/item"):
        app.get(where)


def test_what_rests_on_little_is_said_to(app):
    counts = app.models[0].item_counts
    few = int(np.flatnonzero((counts > 1) & (counts <= FEW_LIKES))[0])
    page = Page(app.get(address("item", app.models[0].items.id_of(few))))
    assert f"Only {counts[few]} likes" in page.text
    unliked = Page(app.get(address("item", app.models[0].items.id_of(int(np.argmin(counts))))))
    assert "0 likes" in unliked.text


@pytest.mark.parametrize(
    "path", ["/items/nothing", "/items/", "/item", "/item?id=", "/users/nobody"]
)
def test_what_there_is_not_is_a_page_of_its_own(app, path):
    page = Page(app.get(path, 404))
    assert "No such" in page.text


@pytest.mark.parametrize("path", ["/", "/users/user%201", "/map", "/try", "/report", "/random"])
def test_an_unknown_model_is_said(app, path):
    assert "No such model" in Page(app.get(f"{path}?model=%3Cb%3E", 404)).text


def test_a_random_item_exists(app):
    for _ in range(5):
        answer = app.client.get("/random", follow_redirects=False)
        assert answer.status_code == 303
        app.get(answer.headers["location"])


def added_up(text):
    """Return printed parts and printed score of each recommendation, in thousandths."""
    found = []
    for block in re.findall(r'<p class="adds">(.*?)</p>', text, re.DOTALL):
        numbers = re.findall(rf"({MINUS}?\d+\.\d{{3}})(?=</span>|</strong>)", block)
        units = [round(1000 * float(number.replace(MINUS, "-"))) for number in numbers]
        found.append((units[:-1], units[-1]))
    return found


def test_a_users_page_shows_history_and_recommendations_that_add_up(app):
    model = app.models[0]
    user = model.users.id_of(4)
    text = app.get(address("user", user))
    page = Page(text)
    likes = model.history.user_items[[4]].indices
    table = recommend_one(model, user, k=10)
    wanted = [address("item", one) for one in table["item"]]
    for where in (*wanted, *(address("item", model.items.id_of(row)) for row in likes)):
        assert where in page.links("/item")
    sums = added_up(text)
    assert len(sums) == len(wanted)
    assert all(sum(parts) == score for parts, score in sums if parts)
    assert sum(bool(parts) for parts, _ in sums) > 5
    other = Page(app.get(f"{address('user', user)}?model=m1"))
    assert other.links("/item") != page.links("/item")


def test_live_likes_count_at_once_and_never_come_back(app):
    model = app.models[0]
    table = recommend_one(model, "user 7", k=2)
    first, second = table["item"].tolist()
    before = Page(app.get("/users/user%207"))
    app.service.state.add_likes("user 7", {first: 1.0, "long gone": 1.0})
    text = app.get("/users/user%207")
    after = Page(text)
    assert "sent to this service" in after.text
    assert "1 like of items unknown to model m0" in after.text
    assert before.links("/item")[0] == address("item", first)
    recommended = re.search(r'aria-labelledby="recommended">(.*?)</section>', text, re.DOTALL)[1]
    heads = re.findall(r'<a href="([^"]*)" tabindex="-1"', recommended)
    assert address("item", first) not in heads
    assert all(sum(parts) == score for parts, score in added_up(text) if parts)
    app.service.state.add_likes("stranger", {second: 2.0})
    stranger = Page(app.get("/users/stranger"))
    assert "was not trained on this user" in stranger.text


def test_trying_recommends_by_fold_in_and_stores_nothing(app):
    model = app.models[0]
    picks = ["i03", "a/b", "i17"]
    before = app.service.state.likes_of("")
    text = app.get("/try?" + "&".join(f"item={one}" for one in picks))
    page = Page(text)
    wanted = recommend_for_likes(model, dict.fromkeys(picks, 1.0), k=10)["item"].tolist()
    adds = [unquote(href) for href in page.links("/try?") if href.count("item=") == 4]
    added = [href.rpartition("item=")[2].replace("+", " ") for href in adds]
    assert added[:10] == wanted  # then what is similar to all of them
    assert app.service.state.likes_of("") == before
    assert all(sum(parts) == score for parts, score in added_up(text) if parts)
    removing = [href for href in page.links("/try?") if href.count("item=") == 2]
    assert len(removing) == 3


def test_trying_says_what_it_leaves_out(app):
    page = Page(app.get("/try?item=i01&item=i01&item=nope"))
    assert "1 item in the URL is unknown here." in page.text
    many = "&".join(f"item={one}" for one in IDS[:50])
    assert "left out" not in Page(app.get(f"/try?{many}")).text
    over = Page(app.get(f"/try?{many}&item=a/b&item=.."))
    assert "Only the first 50 picks count; 2 more are ignored." in over.text
    found = Page(app.get("/try?item=i01&q=Name+1"))
    assert "Found for Name 1" in found.text
    assert "/try?item=i01" not in found.links("/try?")


def test_the_map_has_a_point_for_each_item(app):
    served = next(iter(app.service.registry.served.values()))
    at = f"m0/{served.version[:16]}"
    assert f'data-from="{at}"' in app.get("/map")
    content = app.client.get(f"/map/points/{at}").content
    points = np.frombuffer(content, "<f4", 2 * N_ITEMS).reshape(-1, 2)
    assert np.isfinite(points).all()
    assert len(np.unique(points, axis=0)) > N_ITEMS / 2
    likes = np.frombuffer(content, "<u4", offset=8 * N_ITEMS)
    assert np.array_equal(likes, app.models[0].item_counts)
    names = app.client.get(f"/map/names/{at}").json()
    assert names[0][0] == int(np.argmax(likes))
    row = app.models[0].items.index_of("a/b")
    told = app.client.get(f"/map/item/{at}", params={"id": "a/b"}).json()
    assert told == app.client.get(f"/map/item/{at}", params={"row": row}).json()
    assert told["address"] == "/items/a%2Fb"
    assert [one["row"] for one in told["near"]] == served.neighbours.similar(row, 10)[0].tolist()
    assert f'data-chosen="{row}"' in app.get("/map?item=a/b")


@pytest.mark.parametrize("asked", ["row=-1", "row=60", "row=1e3", "row=٣", "row=", "id=no", ""])
def test_the_map_knows_no_other_items(app, asked):
    version = next(iter(app.service.registry.served.values())).version[:16]
    app.get(f"/map/item/m0/{version}?{asked}", 404)


def test_another_version_has_no_map_and_no_pictures(app):
    for path in ("map/points/m0/0", "map/names/m0/0", "map/item/m0/0?row=0", "pictures/m0/0/0"):
        app.get(f"/{path}", 404)


def test_pictures_come_from_the_item_table_alone(app):
    model, served = app.models[0], next(iter(app.service.registry.served.values()))

    def picture(item):
        return app.client.get(f"/pictures/m0/{served.version[:16]}/{model.items.index_of(item)}")

    png, svg = picture("i00"), picture("i01")
    assert (png.content, png.headers["content-type"]) == (PNG, "image/png")
    assert svg.headers["content-type"] == "image/svg+xml"
    for answer in (png, svg):
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert "immutable" in answer.headers["cache-control"]
    assert [picture(item).status_code for item in ("i02", "i03", "i04", "i05")] == [404] * 4
    assert f"/pictures/m0/{served.version[:16]}/" in app.get("/items/i00")
    away = app.get("/items/i02")
    assert 'src="https://' not in away
    assert 'href="https://pictures.example/1.png" rel="noopener noreferrer"' in away
    assert "javascript:" not in app.get("/items/i01")
    assert 'href="https://items.example/1" rel="noopener noreferrer"' in app.get("/items/i00")


def test_pictures_may_be_files_of_one_folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "pictures/a.png").write_bytes(PNG)
    (tmp_path / "pictures/text.png").write_text("no picture")
    (tmp_path / "pictures/link.png").symlink_to(tmp_path / "secret.png")
    images = ("a.png", "../secret.png", "link.png", "text.png", "missing.png", "..", "a\0.png")
    model = ordinary(shown=images)
    app = opened(tmp_path / "app", model, pictures=tmp_path / "pictures")
    version = next(iter(app.service.registry.served.values())).version[:16]

    def picture(name):
        row = model.items.index_of(f"i{images.index(name):02}")
        return app.client.get(f"/pictures/m0/{version}/{row}")

    assert picture("a.png").content == PNG
    assert "max-age=3600" in picture("a.png").headers["cache-control"]
    assert [picture(name).status_code for name in images[1:]] == [404] * 6
    assert f"/pictures/m0/{version}/" in app.get("/items/i00")
    with pytest.raises(SettingError, match="is not a folder"):
        opened(tmp_path / "other", model, pictures=tmp_path / "nowhere")


def test_pictures_on_the_web_are_shown_where_that_is_allowed(tmp_path):
    app = opened(tmp_path, ordinary(), remote_images=True)
    text = app.get("/items/i02")
    assert 'src="https://pictures.example/1.png"' in text
    assert 'loading="lazy" referrerpolicy="no-referrer"' in text
    assert_inert(text, remote=("https://pictures.example/",))


def test_hostile_names_ids_and_questions_stay_texts(tmp_path):
    ids = [f"{name}#{row}" for row, name in enumerate(HOSTILE)]
    hostile = model_of(ids, list(HOSTILE), images=list(HOSTILE), links=list(HOSTILE))
    app = opened(tmp_path, hostile)
    rows = range(0, len(HOSTILE), 9)
    paths = [
        str(app.client.build_request("GET", "/item", params={"id": hostile.items.id_of(row)}).url)
        for row in rows
    ]
    paths += ["/", "/?q=script", "/user", "/users/user%201", "/map", "/about"]
    for row in range(0, len(HOSTILE), 40):
        outside = hostile.items.id_of(row)
        paths += [str(app.client.build_request("GET", "/try", params={"item": outside}).url)]
    for path in paths:
        assert_inert(app.get(path))
    for attack in HOSTILE[:: len(HOSTILE) // 20]:
        for path, status in (("/", 200), ("/try", 200), ("/item", 404), ("/user", 404)):
            key = "id" if status == 404 else "q"
            model = {} if path == "/item" else {"model": "m0"}  # that page shows all models
            answer = app.client.get(path, params={key: attack, **model})
            assert answer.status_code in (status, 200)
            assert_inert(answer.text)


def test_the_report_is_served_where_it_cannot_act_on_the_app(app):
    answer = app.client.get("/report")
    assert answer.text == REPORT
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy
    app.get("/report?model=m1", 404)
    board = app.get("/leaderboard")
    assert "0.1235" in board
    assert "validation ndcg@10" in board
    assert_inert(board)
    app.get("/leaderboard?model=m1", 404)
    links = Page(app.get("/about")).links("/")
    assert "/report?model=m0" in links
    assert "/report?model=m1" not in links


def voted(app, choice, **changes):
    """Vote as a browser's form does; return what was asked of the visitor."""
    form = app.get("/compare")
    fields = {
        more["name"]: more["value"]
        for tag, more in Page(form).elements
        if tag == "input" and more.get("type") == "hidden"
    }
    answer = app.client.post(
        "/compare",
        data={**fields, "choice": choice, **changes},
        headers=OWN,
        follow_redirects=False,
    )
    return fields, answer


def test_the_result_says_when_there_is_a_difference_and_when_there_is_none(tmp_path):
    both = opened(tmp_path, ordinary(), ordinary(seed=1))
    state, served = both.service.state, both.service.registry.served
    versions = tuple(one.version for one in served.values())
    verdicts = []
    for number in range(1000):
        if number in (0, 30, 900):
            verdicts.append(Page(both.get("/compare/result")).text)
        choice = "first" if number < 30 else ("second", "first", "same")[number % 3]
        voted = "second" if 30 <= number < 60 else choice  # what the first 30 said, is taken back
        assert state.add_vote("m0|m1", voted, f"i{number}", "a" * 32, versions)
    before, after_30, after_900 = verdicts
    assert "Undecided so far More votes are needed. 0 votes" in before
    assert "m0 is preferred 30 votes" in after_30
    assert "Evidence for a difference over 1,000; threshold 20" in after_30
    assert "No meaningful difference Counting ties as half a vote each, neither has" in after_900


def test_votes_count_once_and_for_what_was_shown(tmp_path):
    app = opened(tmp_path, ordinary(), ordinary(seed=1))

    def counted():
        text = Page(app.get("/compare/result")).text
        return int(re.search(r"(\d+) votes? for the versions", text)[1])

    first, answer = voted(app, "left")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/compare?pair=m0%7Cm1"
    again, _ = voted(app, "same")
    assert (again["item"] != first["item"], counted()) == (True, 2)
    voted(app, "right", item=first["item"])
    voted(app, "right", shown="other versions")
    assert counted() == 2
    for wrong in ({"choice": "both"}, {"item": "nope"}, {"pair": "m0|m9"}):
        _, answer = voted(app, **{"choice": "left", **wrong})
        assert answer.status_code in (404, 422)
        assert_inert(answer.text)
    app.client.cookies.clear()
    assert app.client.post("/compare", data=first, headers=OWN).status_code == 422
    assert counted() == 2
    cookie = app.client.get("/compare").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_one_model_alone_is_compared_with_popularity(tmp_path):
    app = opened(tmp_path, ordinary())
    text = Page(app.get("/compare")).text
    assert "popularity" not in text
    assert "Which list fits better?" in text
    assert "popularity is better" in Page(app.get("/compare/result")).text
    app.get("/compare?pair=x", 404)
    app.get("/compare/result?pair=x", 404)


def test_about_tells_what_each_model_is(app):
    text = Page(app.get("/about")).text
    for served in app.service.registry.served.values():
        assert served.version in text
        assert served.manifest.data_fingerprint in text
    assert "ndcg@10" in text
    assert "0.25" in text


def test_a_model_without_history_and_names_has_pages(tmp_path):
    model = dataclasses.replace(ordinary(), history=None, catalogue=None)
    app = opened(tmp_path, model)
    for path in ("/", "/items/i05", "/map", "/about", "/try?item=i05"):
        app.get(path)
    assert "saved without its likes" in Page(app.get("/users/user%201")).text
    assert "of anyone" not in Page(app.get("/items/i05")).text


def test_static_files_are_kept_for_ever_under_addresses_of_their_content(app):
    for name, file in templating.static_files().items():
        answer = app.client.get(templating.static(name))
        assert answer.content == file.content
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].startswith(file.media_type.partition(";")[0])
        for imported in re.findall(rb'from "\./([^"]+)"', answer.content):
            app.get(f"/static/{imported.decode()}")


@pytest.mark.parametrize("name", ["..%2fassets.py", "app.css", "%2e%2e/assets.py", "app.0.css"])
def test_no_other_file_is_served(app, name):
    app.get(f"/static/{name}", 404)
