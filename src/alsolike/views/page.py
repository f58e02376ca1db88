"""A page that stands alone: hostile text made harmless, a strict content policy, no network."""

import base64
import functools
import hashlib
import html
import importlib.resources
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

MOST_CHARACTERS = 300

# Tabs and line ends become spaces; other controls, lone surrogates and the characters that turn
# the direction of the text around them would let a name rewrite what stands beside it.
_SPACES = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_WEB_ADDRESS = re.compile(
    r"(?P<origin>https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?)"
    r"(?:[/?#][^\s<>\"'`\\\x00-\x20\x7f]*)?",
    re.IGNORECASE,
)


def clean(text: str, *, most: int = MOST_CHARACTERS) -> str:
    r"""Return `text` without characters that act on their surroundings, and not too long.

    Parameters
    ----------
    text : str
        Anything at all: names of items come from strangers.
    most : int
        Characters to keep; what is cut off is shown by an ellipsis.

    Examples
    --------
    >>> clean("left\u202eright\x00\nend"), clean("x" * 1000, most=4)
    ('leftright\ufffd end', 'xxx…')
    """
    shown = _FORBIDDEN.sub("\ufffd", _DIRECTIONS.sub("", _SPACES.sub(" ", text)))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def is_blank(text: str) -> bool:
    """Tell whether `text` would leave nothing to see: empty, spaces, or invisible characters."""
    return all(unicodedata.category(character)[0] in "ZC" for character in clean(text))


def escaped(text: str, *, most: int = MOST_CHARACTERS) -> str:
    """Return `text` cleaned and escaped, for element content and for quoted attributes."""
    return html.escape(clean(text, most=most), quote=True)


def isolated(text: str, *, most: int = MOST_CHARACTERS) -> str:
    """Return `text` escaped within ``<bdi>``, so that right-to-left names turn nothing around."""
    return f"<bdi>{escaped(text, most=most)}</bdi>"


def web_origin(address: str) -> str | None:
    """Return scheme and host of an http or https address, or None where it is anything else.

    Only such addresses are made clickable, and only such hosts can enter a content policy.

    Examples
    --------
    >>> web_origin("https://Example.org/a?b"), web_origin("javascript:alert(1)")
    ('https://example.org', None)
    >>> web_origin("https://example.org; script-src *") is None
    True
    """
    match = _WEB_ADDRESS.fullmatch(address.strip())
    return match["origin"].lower() if match else None


def link(address: str, inner: str, *, css_class: str = "") -> str:
    """Return a link around the markup `inner` where `address` is on the web, else `inner` alone."""
    if web_origin(address) is None:
        return inner
    named = f' class="{css_class}"' if css_class else ""
    target = html.escape(address.strip(), quote=True)
    return f'<a{named} href="{target}" rel="noopener noreferrer">{inner}</a>'


def finite(value: Any) -> float | None:
    """Return `value` as a number, or None where it is none, NaN or infinite."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def rounded(value: Any) -> str:
    """Return a measure with four decimals, or four digits where those would say little.

    Examples
    --------
    >>> rounded(0.0476096922), rounded(0.0012345), rounded(None)
    ('0.0476', '0.001234', '-')
    """
    number = finite(value)
    if number is None:
        return "-"
    return f"{number:z.4f}" if number == 0 or 1e-2 <= abs(number) < 1e4 else f"{number:.4g}"


def data_block(value: Any) -> str:
    """Return `value` as a block of JSON that no content can close and no browser runs."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json">{text}</script>'


@functools.cache
def asset(name: str) -> str:
    """Return the text of a style sheet or script that is part of this package."""
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def document(
    title: str,
    body: str,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    image_origins: Iterable[str] = (),
) -> str:
    """Return a whole page whose content policy lets nothing run or load but what is named here.

    Parameters
    ----------
    title : str
        Of the page; escaped here.
    body : str
        Markup, escaped by who made it.
    styles, scripts : sequence of str
        Contents of the ``<style>`` and ``<script>`` elements. The policy allows each by its
        SHA-256, so markup that slipped in cannot bring its own.
    image_origins : iterable of str
        Hosts from which pictures may be loaded, as `web_origin` returns them. None by default:
        the page then asks the network for nothing.
    """
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {_digests(styles)}",
            f"script-src {_digests(scripts)}",
            " ".join(("img-src data:", *sorted(set(image_origins)))),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    sheets = "".join(f"<style>{sheet}</style>\n" for sheet in styles)
    programs = "".join(f"<script>{program}</script>\n" for program in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)}</title>\n{sheets}</head>\n"
        f"<body>\n{body}\n{programs}</body>\n</html>\n"
    )


def _digests(contents: Sequence[str]) -> str:
    """Return the policy's words for inline elements with these contents."""
    hashes = (hashlib.sha256(content.encode("utf-8")).digest() for content in contents)
    sources = [f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in hashes]
    return " ".join(sources) or "'none'"
