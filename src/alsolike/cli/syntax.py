"""Rewrites messages for the command line: ``on_error='reject'`` becomes ``--on-error reject``.

Quotes of the user's data are left as they are.
"""

import ast
import re
import shlex
from dataclasses import fields
from typing import Any

import click

# Parameters whose option has another name, with the value that the option means.
_RENAMED = {("exclude_seen", "False"): "keep_seen", ("exclude", "None"): "keep_seen"}

# Names of characters in the options --delimiter, --quote and --escape.
_SPELLED = {"": "none", "\t": "tab", " ": "space"}
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_VALUE = rf"{_QUOTED}|[\w./+~-]*\w"
# In this order: a parameter with its value and further ones, or with none; a quoted text; a name
# with an underscore. None of them within a path.
_FORM = re.compile(
    rf"(?<![\w/\\.-])(?P<name>[a-z_]+)=(?P<value>{_VALUE})?"
    rf"(?P<more>(?:(?:, | or ){{1}}(?:{_QUOTED})(?!\w))*)(?![\w/=(])"
    rf"|(?<!\w)(?:{_QUOTED})(?!\w)"
    r"|(?<![\w/\\.-])(?P<bare>[a-z]+(?:_[a-z]+)+)(?![\w/=(\\]|\.\w)"
)


def as_typed(message: str, verb: click.Command | None) -> str:
    """Return `message` with the parameters that it names as options of `verb`.

    Examples
    --------
    >>> verb = click.Command("read", params=[click.Option(["--on-error"]),
    ...     click.Option(["--header/--no-header"]), click.Option(["--repeats"])])
    >>> as_typed("user 'on_error=5': pass on_error='reject' or header=True.", verb)
    "user 'on_error=5': pass --on-error reject or --header."
    >>> as_typed("Pass repeats='sum', 'count' or 'max'.", verb)
    'Pass --repeats sum, count or max.'
    """
    if verb is None:
        return message
    options = {one.name: one for one in verb.params if isinstance(one, click.Option)}

    def typed(found: re.Match[str]) -> str:
        if found["bare"]:
            option = options.get(found["bare"])
            return found[0] if option is None else option.opts[0]
        if not found["name"]:
            return found[0]
        name, value = found["name"], found["value"] or ""
        if option := options.get(_RENAMED.get((name, value), "")):
            return f"{option.opts[0]}{found['more']}"
        if option := options.get(name):
            return f"{_given(option, value)}{_plain(found['more'])}"
        if value[:1] in ("'", '"') and "settings" in options and name in _settings():
            return f"--set {name}={_unquoted(value)}{_plain(found['more'])}"
        return found[0]

    return _FORM.sub(typed, message)


def as_typed_now(message: str) -> str:
    """Return `message` with options of the verb that is running, if any."""
    context = click.get_current_context(silent=True)
    verb = None if context is None else context.command
    return as_typed(message, None if isinstance(verb, click.Group) else verb)


def _given(option: click.Option, value: str) -> str:
    """Return an option as it is typed, with its value if it takes one."""
    flag = option.opts[0]
    if option.is_flag:
        off = option.secondary_opts[0] if option.secondary_opts else flag
        return off if value == "False" else flag
    if not value:
        return flag
    return f"{flag} {_shown(_unquoted(value))}"


def _plain(more: str) -> str:
    """Return further values without their quotes."""
    return re.sub(_QUOTED, lambda one: _shown(_unquoted(one[0])), more)


def _shown(text: str) -> str:
    r"""Return a text quoted for a shell; punctuation in quotes, because a point may follow it.

    >>> print(*map(_shown, ["drop", ",", chr(92), chr(9), "", "'"]))
    drop ',' '\' tab none "'"
    """
    if text in _SPELLED:
        return _SPELLED[text]
    if text == "'":
        return f'"{text}"'
    quoted = shlex.quote(text)
    return quoted if quoted != text or re.search(r"\w", text) else f"'{text}'"


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value)) if value[:1] in ("'", '"') else value
    except (ValueError, SyntaxError):  # no text of Python's, though in quotes
        return value[1:-1]


def _settings() -> Any:
    from alsolike.models.als.config import ALSConfig

    return {setting.name for setting in fields(ALSConfig)}
