"""The app in a real browser that may reach this service alone."""

import contextlib
import re
import shutil
import threading
import time
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

import pytest

from web_bundles import HOSTILE, PNG_ADDRESS, model_of, saved

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

import uvicorn
from playwright.sync_api import sync_playwright

from alsolike.data.features.features import Features
from alsolike.models.fit import fit
from alsolike.web.app import create_app
from alsolike.web.serving.item_cards import address
from alsolike.web.settings import Settings, Slot

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")

ODD_IDS = ("..", "a/b", "%2F", "two\nlines", "x?y#z", "ñ")
IDS = (*(f"i{row:02}" for row in range(50)), *ODD_IDS)
NAMES = ("Radiohead", "Björk", "U2", *(f"Name {row}" for row in range(3, len(IDS))))
PAGES = ("/", "/?q=name", "/?q=qqqqqq", "/items/i07", "/user", "/users/user%204", "/try")
PAGES += (
    "/compare/result",
    "/docs",
    "/try?item=i01&item=i05",
    "/map?item=i01",
    "/compare",
    "/about",
    "/leaderboard",
    "/items/nope",
    "/items/i07?popularity_bias=0.3",
    "/features",
    "/features?feature=castle",
)


@contextlib.contextmanager
def served(folder, *models, aside=None, **settings):
    """Serve models on a port of the loopback, and give the address."""
    places = tuple(
        Slot(f"m{at}", saved(model, folder / f"run{at}" / "model", metrics={"ndcg@10": 0.25}))
        for at, model in enumerate(models)
    )
    for name, text in (aside or {}).items():
        (folder / "run0" / name).write_text(text, encoding="utf-8")
    app = create_app(Settings(models=places, state=folder / "serving", rate=0, log="", **settings))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started and time.monotonic() < end:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


REPORT = """<!doctype html><html lang="en"><title>report</title><h1>Report</h1><p id="said"></p>
<script>
document.getElementById("said").textContent = `origin ${self.origin}`;
fetch("/api/v1/items?q=a").then(() => "reached", () => "kept out").then((word) => {
  document.getElementById("said").textContent += `, ${word}`;
});
</script></html>"""


def ordinary(seed):
    images = [PNG_ADDRESS, "data:image/png;base64,AAAA", *[""] * (len(IDS) - 2)]
    made = model_of(IDS, NAMES, images=images, seed=seed)
    tags = Features.of_words(
        "tag", [["castle", "sea", "<i>"][row % 3 :] for row in range(len(IDS))]
    )
    return replace(made, item_features=tags, history=replace(made.history, item_features=tags))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    aside = {"report.html": REPORT, "leaderboard.csv": "rank,score\n1,0.5\n"}
    with served(tmp_path_factory.mktemp("site"), ordinary(0), ordinary(1), aside=aside) as where:
        yield where


@pytest.fixture(scope="module")
def other_families(tmp_path_factory):
    """Serve models that have no factors, side by side; the last one lists the same for all."""
    likes = ordinary(0).history
    models = [fit(likes, family=name) for name in ("item-knn", "ease", "popularity")]
    with served(tmp_path_factory.mktemp("others"), *models) as where:
        yield where


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextlib.contextmanager
def visit(browser, site, *, quiet=True, **settings):
    """Open a page; at the end, nothing was said to the console and no other host was asked."""
    context = browser.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(10_000)
    faults = []
    page.on("pageerror", lambda error: faults.append(f"page: {error}"))
    page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda said: faults.append(f"{said.type}: {said.text} {said.location}"))

    def asked(request):
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" != site:
            faults.append(f"asked {request.url}")

    context.on("request", asked)
    try:
        yield page
        if quiet:
            # A page that is not there is reported by the browser itself.
            assert [one for one in faults if "404 (Not Found)" not in one] == []
        assert not [one for one in faults if one.startswith(("asked", "dialog", "page"))]
    finally:
        context.close()


def test_search_item_and_hop_by_keyboard_alone(browser, site):
    with visit(browser, site) as page:
        page.goto(f"{site}/")
        page.keyboard.type("name 1")
        page.wait_for_selector("[role=option]")
        field = page.get_by_role("combobox")
        assert field.get_attribute("aria-expanded") == "true"
        page.keyboard.press("ArrowDown")
        active = field.get_attribute("aria-activedescendant")
        name = page.locator(f"#{active} bdi").inner_text()
        page.keyboard.press("Enter")
        page.wait_for_url("**/items/*")
        assert page.locator("h1").inner_text() == name
        card = page.locator(".rows a .name").first
        other = card.inner_text()
        card.click()
        page.wait_for_function("name => document.querySelector('h1').innerText === name", arg=other)


def test_the_list_of_finds_closes_and_follows_the_keys(browser, site):
    with visit(browser, site) as page:
        page.goto(f"{site}/")
        field, options = page.get_by_role("combobox"), page.get_by_role("option")
        field.fill("radiohead")
        options.first.wait_for()
        assert options.first.locator("bdi").inner_text() == "Radiohead"
        for key, place in (("ArrowUp", -1), ("ArrowDown", None), ("ArrowDown", 0)):
            field.press(key)
            active = field.get_attribute("aria-activedescendant")
            wanted = None if place is None else options.nth(place).get_attribute("id")
            assert active == wanted
        field.press("Escape")
        assert field.get_attribute("aria-expanded") == "false"
        field.press("Enter")
        page.wait_for_url("**/?q=radiohead")
        page.get_by_role("link", name="Radiohead").first.click()
        page.wait_for_url("**/items/i00")


@pytest.mark.parametrize("outside", ODD_IDS)
def test_ids_of_any_text_have_a_page(browser, site, outside):
    with visit(browser, site) as page:
        page.goto(site + address("item", outside))
        name = NAMES[IDS.index(outside)]
        assert page.locator("h1").inner_text() == name
        page.get_by_role("combobox").fill(name)
        page.get_by_role("option").filter(has_text=re.compile(f"^{name}\\d* like")).click()
        page.wait_for_load_state()
        assert page.locator("h1").inner_text() == name


def test_search_item_and_user_need_no_scripts(browser, site):
    with visit(browser, site, java_script_enabled=False) as page:
        page.goto(f"{site}/")
        page.get_by_label("Name, id").fill("radiohead")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="Radiohead").click()
        assert page.locator("h1").inner_text() == "Radiohead"
        page.get_by_role("link", name="Try it with this").click()
        page.get_by_role("link", name="Add ").first.click()
        assert page.get_by_role("link", name="Remove").count() == 2
        page.goto(f"{site}/user")
        page.get_by_label("User id").fill("user 4")
        page.get_by_role("button", name="Show").click()
        assert page.locator("h1").inner_text() == "User user 4"
        assert page.locator(".adds").count() == 10


def test_trying_follows_each_pick_at_once(browser, site):
    with visit(browser, site) as page:
        page.goto(f"{site}/try")
        page.evaluate("window.same = true")
        field = page.get_by_role("combobox")
        for name in ("Radiohead", "U2"):
            field.fill(name)
            page.get_by_role("option").first.wait_for()
            field.press("ArrowDown")
            field.press("Enter")
            page.get_by_role("link", name=f"Remove {name}").wait_for()
        both = page.locator("[aria-labelledby=recommended] .name").all_inner_texts()
        assert len(both) == 10
        assert page.locator("#said").inner_text() == "2 picked, 10 recommended"
        page.get_by_role("link", name="Remove Radiohead").click()
        page.get_by_role("link", name="Remove Radiohead").wait_for(state="detached")
        assert page.locator("[aria-labelledby=recommended] .name").all_inner_texts() != both
        page.go_back()
        page.get_by_role("link", name="Remove Radiohead").wait_for()
        assert page.locator("[aria-labelledby=recommended] .name").all_inner_texts() == both
        assert page.evaluate("window.same") is True


def test_the_map_is_walked_by_mouse_and_by_keyboard(browser, site):
    with visit(browser, site, viewport={"width": 1000, "height": 900}) as page:
        page.goto(f"{site}/map")
        page.wait_for_selector("#map[data-ready]")
        canvas = page.locator("canvas")

        def drawn():
            page.wait_for_timeout(250)
            return canvas.evaluate("canvas => canvas.toDataURL()")

        whole = drawn()
        canvas.focus()
        for key in ("+", "ArrowLeft", "ArrowUp"):
            before = drawn()
            page.keyboard.press(key)
            assert drawn() != before
        page.keyboard.press("0")
        assert drawn() == whole
        page.keyboard.press("Enter")
        middle = page.locator("#chosen h2")
        middle.wait_for()
        page.keyboard.press("Tab")
        page.keyboard.press("0")
        field = page.get_by_role("combobox")
        field.fill("Radiohead")
        page.get_by_role("option").first.wait_for()
        field.press("ArrowDown")
        field.press("Enter")
        panel = page.locator("#chosen")
        panel.get_by_role("link", name="Radiohead").wait_for()
        other = panel.get_by_role("button").first
        name = other.inner_text()
        other.click()
        panel.get_by_role("link", name=name).wait_for()
        # The chosen one is in the middle: the mouse finds it there.
        box = canvas.bounding_box()
        canvas.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
        page.locator(".hint").get_by_text(name).wait_for()
        panel.get_by_role("link", name=name).click()
        page.wait_for_url(re.compile(r"/items?[/?]"))


def test_the_map_is_walked_by_fingers(browser, site):
    phone = {"width": 360, "height": 780}
    with visit(browser, site, viewport=phone, has_touch=True, is_mobile=True) as page:
        page.goto(f"{site}/map?item=i00&model=m1")
        page.wait_for_selector("#map[data-ready]")
        canvas, panel = page.locator("canvas"), page.locator("#chosen")
        assert panel.get_by_role("link").inner_text() == "Radiohead"
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = page.context.new_cdp_session(page)

        def drawn():
            page.wait_for_timeout(250)
            return canvas.evaluate("canvas => canvas.toDataURL()")

        def spread(first, last):
            for kind, apart in (("Start", first), ("Move", last), ("End", None)):
                at = () if apart is None else (x - apart, x + apart)
                points = [{"x": one, "y": y, "id": id_} for id_, one in enumerate(at)]
                event = {"type": f"touch{kind}", "touchPoints": points}
                touch.send("Input.dispatchTouchEvent", event)

        before = drawn()
        spread(30, 90)
        nearer = drawn()
        assert nearer != before
        assert panel.get_by_role("link").inner_text() == "Radiohead"
        spread(90, 30)
        assert drawn() != nearer
        # The chosen one is in the middle still: what was tapped first is told again.
        page.evaluate("document.getElementById('chosen').replaceChildren()")
        page.touchscreen.tap(x, y)
        panel.get_by_role("link", name="Radiohead").wait_for()


def test_votes_are_blind_and_counted_once(browser, site):
    with visit(browser, site) as page:
        page.goto(f"{site}/compare")
        seen = []
        for choice in ("A is better", "B is better", "No difference"):
            # A picture that cannot be loaded gives way to a letter.
            page.wait_for_load_state("networkidle")
            shown = page.locator("main").inner_text()
            assert "m0" not in shown
            assert "m1" not in shown
            page.reload()
            page.wait_for_load_state("networkidle")
            assert page.locator("main").inner_text() == shown
            seen.append(page.locator("input[name=item]").get_attribute("value"))
            page.get_by_role("button", name=choice).click()
            page.get_by_text(f"{len(seen)} vote").wait_for()
        assert len(set(seen)) == 3
        page.get_by_role("link", name="see the result").click()
        assert page.locator("h1").inner_text() == "Undecided so far"
        assert page.get_by_text("3 votes for the versions served now").is_visible()


def test_ids_that_browsers_would_change_come_back_from_forms_as_they_are(browser, tmp_path):
    broken = ("\n", "\r", "\r\n", "%0A", "&item=", "+", "\t ", "\u2028")
    ids = [f"i{row}{broken[row % len(broken)]}end " for row in range(64)]
    models = [model_of(ids, [f"item {row}" for row in range(64)], seed=seed) for seed in (0, 1)]
    with (
        served(tmp_path, *models) as site,
        visit(browser, site, java_script_enabled=False) as page,
    ):
        for count in range(1, 2 * len(broken)):
            page.goto(f"{site}/compare")
            page.get_by_role("button", name="A is better").click()
            assert f"{count} vote" in page.locator(".lede").inner_text()
        picks = [("item", one) for one in ids[: len(broken)]]
        page.goto(f"{site}/try?{urlencode(picks)}")
        page.get_by_label("Name or id").fill("item 63")
        page.get_by_role("button", name="Find").click()
        assert page.get_by_role("link", name="Remove").count() == len(broken)
        assert page.locator(".notice").count() == 0
        page.get_by_role("link", name="+ item 63").click()
        assert page.get_by_role("link", name="Remove").count() == len(broken) + 1


def test_pictures_that_are_none_give_way_to_a_drawing(browser, site):
    with visit(browser, site, quiet=False) as page:
        page.goto(f"{site}/items/i00")
        page.wait_for_load_state("networkidle")
        assert page.locator(".asked img").count() == 1
        page.goto(f"{site}/items/i01")
        page.locator(".asked img").wait_for(state="detached")
        assert page.locator(".asked svg").is_visible()


def test_two_hundred_hostile_names_are_inert(browser, tmp_path):
    ids = [f"{name}#{row}" for row, name in enumerate(HOSTILE)]
    hostile = model_of(ids, list(HOSTILE), images=list(HOSTILE), links=list(HOSTILE))
    assert len(ids) == 200
    with served(tmp_path, hostile) as site, visit(browser, site) as page:
        for outside in ids[::8]:
            page.goto(site + address("item", outside))
        most = address("item", hostile.items.id_of(int(hostile.item_counts.argmax())))
        for path in ("/", "/?q=alert", "/users/user%201", "/try", "/about", most):
            page.goto(site + path)
        page.goto(f"{site}/")
        for query in ("script", "alert", "img", "x"):
            page.get_by_role("combobox").fill(query)
            page.get_by_role("option").first.wait_for()
            page.get_by_role("combobox").fill("")
            page.get_by_role("option").first.wait_for(state="hidden")
        page.goto(f"{site}/try")
        page.get_by_role("combobox").fill("script")
        page.get_by_role("option").first.click()
        page.get_by_role("link", name="Add").first.click()
        page.goto(f"{site}/map")
        page.wait_for_selector("#map[data-ready]")
        page.get_by_role("combobox").fill("alert")
        page.get_by_role("option").first.click()
        page.locator("#chosen h2").wait_for()


def test_the_report_cannot_act_on_the_app(browser, site):
    with visit(browser, site, quiet=False) as page:
        page.goto(f"{site}/about")
        page.get_by_role("link", name="report").click()
        page.get_by_text("kept out").wait_for()
        assert page.locator("#said").inner_text() == "origin null, kept out"


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_page_is_wider_than_the_window(browser, site, width):
    with visit(browser, site, viewport={"width": width, "height": 800}) as page:
        for path in PAGES:
            page.goto(site + path)
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, (path, over)


def test_first_paint_takes_less_than_a_second(browser, site):
    painted = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    with visit(browser, site) as page:
        for path in PAGES:
            taken = []
            for _ in range(2):  # a page may be the first of its kind, or the machine busy
                page.goto(site + path)
                page.wait_for_function("() => performance.getEntriesByType('paint').length > 1")
                taken.append(page.evaluate(painted))
            assert min(taken) < 1000, (path, taken)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, site, scheme):
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed")
    script = axe.AXE_FILE_PATH.read_text(encoding="utf-8")
    # In the dark, only the colours are others.
    rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
    with visit(browser, site, color_scheme=scheme, viewport={"width": 800, "height": 800}) as page:
        for path in PAGES:
            page.goto(site + path)
            if path.startswith("/map"):
                page.wait_for_selector("#map[data-ready]")
            page.evaluate(script)
            found = page.evaluate("rules => axe.run(document, rules)", rules)["violations"]
            told = [(one["id"], one["help"], one["nodes"][0]["html"]) for one in found]
            assert told == [], path


def test_models_without_factors_have_the_same_pages(browser, other_families):
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed")
    script = axe.AXE_FILE_PATH.read_text(encoding="utf-8")
    pages = ("/", "/items/i07", "/users/user%204", "/users/user%204?model=m2", "/try?item=i01")
    with visit(browser, other_families, viewport={"width": 360, "height": 800}) as page:
        for path in (*pages, "/map", "/map?model=m1", "/compare", "/about", "/docs"):
            page.goto(other_families + path)
            assert page.get_by_role("link", name="Map", exact=True).count() == 0, path
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            page.evaluate(script)
            found = page.evaluate("axe.run(document)")["violations"]
            assert not found, (path, [one["id"] for one in found])


def test_picks_are_followed_by_a_model_without_factors(browser, other_families):
    with visit(browser, other_families) as page:
        page.goto(f"{other_families}/try?model=m1")
        page.get_by_role("combobox").fill("bjork")
        page.get_by_role("option").first.click()
        page.get_by_text("Because of").first.wait_for()
        page.get_by_role("link", name="Add").first.click()
        page.get_by_text("2 picked, 10 recommended").wait_for(state="attached")


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_dial_is_turned_by_keyboard_with_and_without_scripts(browser, site, scripts, width):
    settings = {"java_script_enabled": scripts, "viewport": {"width": width, "height": 900}}
    with visit(browser, site, **settings) as page:
        page.goto(f"{site}/items/i07")
        dial = page.get_by_role("region", name="From specific to popular")
        marks = dial.get_by_role("list").get_by_role("link")
        assert [one.split(",")[0] for one in marks.all_text_contents()] == [
            "0", *(f"0.{mark}" for mark in range(1, 10)), "1",
        ]  # fmt: skip
        (chosen,) = dial.locator("[aria-current]").all_text_contents()
        assert re.fullmatch("0.8, a model.s own mark", chosen)
        for one in marks.all():
            box = one.bounding_box()
            assert min(box["width"], box["height"]) >= 24
        marks.first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/items/i07?popularity_bias=0#dial")
        assert dial.locator("[aria-current]").all_text_contents() == ["0, the most specific"]
        first = page.locator("#list-1 ~ ol .words a").first
        assert first.get_attribute("href").endswith("?popularity_bias=0")
        first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/items/*?popularity_bias=0")
        page.get_by_role("link", name=re.compile("back to each model.s own mark")).click()
        page.wait_for_url(re.compile(r"/items?/[^?]*$"))
