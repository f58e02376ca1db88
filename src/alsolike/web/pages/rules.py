"""Reads rules on lists from the address of a page, and prepares the form that sets them."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from alsolike.data.catalogue import Catalogue
from alsolike.models.base import FittedModel
from alsolike.recommending.rules.rules import Rules, values_of
from alsolike.recommending.rules.values import SEPARATOR
from alsolike.views.page import clean

PARAMETERS = ("only", "exclude", "at_most", "one_of")

_ROLES = ("name", "image", "link")
_MOST_COLUMNS = 6
_MOST_VALUES = 40  # of a column that can be chosen from
_LONGEST = 60  # characters of a value, and of the name of a column
_SAMPLED = 2_000  # items that tell which columns can be chosen from
_REPEATED = 0.8  # distinct values among all, below which there are several items of many
_AT_MOST = (1, 2, 3)


@dataclass(frozen=True)
class Choice:
    """A field of the form: its options are values of `name`, with their words."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str


@dataclass(frozen=True)
class RulesForm:
    """The form of rules on a page.

    Parameters
    ----------
    action : str
    carried : tuple of (str, str)
        Further parameters of the address, as hidden fields.
    choices : tuple of Choice
    rules : str
        The rules in the address, in words, or empty.
    reset : str
        Address of the page without rules.
    """

    action: str
    carried: tuple[tuple[str, str], ...]
    choices: tuple[Choice, ...]
    rules: str
    reset: str


def given_rules(request: Request) -> Rules | None:
    """Return the rules in the address of a page; None if there are none.

    Raises
    ------
    SettingError
        One has another form.
    """
    query = request.query_params
    return Rules.parsed(**{name: query.getlist(name) for name in PARAMETERS}) or None


def rules_in(request: Request) -> list[tuple[str, str]]:
    """Return the parameters of rules in the address of a page."""
    return [
        pair for pair in request.query_params.multi_items() if pair[0] in PARAMETERS and pair[1]
    ]


def with_parameters(address: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return an address with further parameters in its query."""
    if not pairs:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(pairs)}"


def form_of(
    request: Request,
    model: FittedModel,
    address: str,
    carried: Iterable[tuple[str, str]] = (),
) -> RulesForm | None:
    """Return the form of a page; None if the items have no columns to choose from.

    Parameters
    ----------
    request : Request
    model : FittedModel
        Its items have the columns.
    address : str
        Of the page, without a query.
    carried : iterable of (str, str)
        Further parameters of the address.
    """
    given, kept = rules_in(request), tuple(carried)
    rules = given_rules(request)
    choices = () if model.catalogue is None else tuple(_choices(model.catalogue, given))
    if not choices and rules is None:
        return None
    shown = {(one.name, one.chosen) for one in choices}
    # What the form cannot show, such as exclusions, stays as it is.
    others = tuple(pair for pair in given if pair not in shown)
    return RulesForm(
        action=address,
        carried=(*kept, *others),
        choices=choices,
        rules="" if rules is None else clean(str(rules)),
        reset=with_parameters(address, kept),
    )


def _choices(catalogue: Catalogue, given: Sequence[tuple[str, str]]) -> Iterable[Choice]:
    for column, can_choose, repeats in _columns_of(catalogue):
        shown = clean(column)
        if can_choose:
            values = values_of(catalogue, column).values
            options = tuple((f"{column}={value}", clean(value)) for value in values)
            yield _choice("only", shown, ("", "any"), options, given)
        if repeats:
            options = tuple((f"{most}:{column}", f"at most {most}") for most in _AT_MOST)
            yield _choice("at_most", f"per {shown}", ("", "any number"), options, given)


def _choice(
    name: str,
    label: str,
    first: tuple[str, str],
    options: tuple[tuple[str, str], ...],
    given: Sequence[tuple[str, str]],
) -> Choice:
    chosen = next((value for value, _ in options if (name, value) in given), "")
    return Choice(name, label, (first, *options), chosen)


def _columns_of(catalogue: Catalogue) -> list[tuple[str, bool, bool]]:
    """Return columns, and whether one can choose a value, and limit the items of one."""
    key = ("columns of the form",)  # no name of a column
    found: list[tuple[str, bool, bool]] | None = catalogue.made.get(key)
    if found is None:
        looked_at = (_looked_at(catalogue, column) for column in catalogue.more)
        found = [one for one in looked_at if any(one[1:])][:_MOST_COLUMNS]
        catalogue.made[key] = found
    return found


def _looked_at(catalogue: Catalogue, column: str) -> tuple[str, bool, bool]:
    if column in _ROLES or "=" in column or len(column) > _LONGEST:
        return column, False, False
    texts = [text for text in itertools.islice(_first(catalogue, column), _SAMPLED) if text]
    distinct = {one.strip() for text in texts for one in text.split(SEPARATOR)} - {""}
    repeats = 1 < len(distinct) < _REPEATED * len(texts)
    is_short = repeats and len(distinct) <= _MOST_VALUES and max(map(len, distinct)) <= _LONGEST
    can_choose = is_short and len(values_of(catalogue, column).values) <= _MOST_VALUES
    return column, can_choose, repeats


def _first(catalogue: Catalogue, column: str) -> Iterable[str]:
    texts = catalogue.more[column]
    return (texts[row] for row in range(len(texts)))
