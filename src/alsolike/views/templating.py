"""Renders Jinja2 templates for all pages: report, gallery, export and app."""

import base64
import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from alsolike.text import counted
from alsolike.views.page import MOST_CHARACTERS, asset, clean, rounded, web_origin


@functools.cache
def environment(*packages: str) -> jinja2.Environment:
    """Return the templates in the folders ``templates`` of `packages` and of the views."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package) for package in (*packages, __package__)]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clean": lambda text, most=MOST_CHARACTERS: clean(str(text), most=most),
        "counted": counted,
        "digests": _digests,
        "rounded": rounded,
        "web_origin": web_origin,
    }
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return made


@functools.cache
def macro(template: str, name: str) -> Callable[..., Markup]:
    """Return a macro of a template of the views."""
    found: Callable[..., Markup] = getattr(environment().get_template(template).module, name)
    return found


def rendered(template: str, **context: Any) -> Markup:
    """Render a template of the views."""
    return Markup(environment().get_template(template).render(context))  # noqa: S704 - escaped


def fragment(body: Markup, style: str, *scripts: str) -> str:
    """Return markup for any page or notebook, with its style sheet and scripts."""
    style, *programs = (Markup(asset(name)) for name in (style, *scripts))  # noqa: S704 - our own
    return str(macro("page.html", "fragment")(body, style, programs))


def standalone(
    title: str,
    body: Markup,
    *,
    styles: Sequence[str] = ("page.css",),
    scripts: Sequence[str] = (),
    image_origins: Iterable[str] = (),
) -> str:
    """Return a page without further files, which may load only images from the web.

    Its content policy allows only these style sheets and scripts, by their SHA-256.

    Parameters
    ----------
    title : str
        May be hostile.
    body : Markup
    styles, scripts : sequence of str
        Files of the views.
    image_origins : iterable of str
        Hosts of images, as `web_origin` returns them.
    """
    sheets = [Markup("\n".join(map(asset, styles)))]  # noqa: S704 - our own files
    programs = [Markup(asset(name)) for name in scripts]  # noqa: S704
    origins = sorted(set(image_origins))
    return str(macro("page.html", "page")(title, body, sheets, programs, origins))


def _digests(contents: Sequence[str]) -> Markup:
    """Return the sources of a content policy for inline elements with these contents."""
    hashes = (hashlib.sha256(content.encode("utf-8")).digest() for content in contents)
    sources = [f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in hashes]
    return Markup(" ".join(sources) or "'none'")  # noqa: S704 - only base64
