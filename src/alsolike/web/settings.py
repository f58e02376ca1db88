"""Defines and checks the settings of a service, and reads and writes them as JSON."""

import ipaddress
import json
import math
import os
import re
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from alsolike.errors import SettingError
from alsolike.models.bundle.io import describe
from alsolike.models.bundle.manifest import MANIFEST
from alsolike.storage.atomic import replacing
from alsolike.web.edge.cors import as_origin
from alsolike.web.templating import is_base_path

POPULARITY = "popularity"
LEAST_TOKEN = 16
# Folders that `alsolike run` writes: its model, and a second one for similar items if another model
# is better at them.
MODEL_OF_A_RUN = "model"
SIMILAR_OF_A_RUN = "similar"

_SLOT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Slot:
    """A slot of the service, and the folder that it starts with: of a bundle, or of a run."""

    name: str
    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if not _SLOT.fullmatch(self.name):
            raise SettingError(
                "A model name has 1 to 64 characters of a-z, 0-9, '.', '_' and '-', and begins "
                f"with a letter or digit; not {self.name!r}."
            )
        if self.name == POPULARITY:
            raise SettingError(
                f"No model can be named {POPULARITY!r}: that name returns the most liked items. "
                "Choose another name."
            )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a service: models, access and limits.

    Parameters
    ----------
    models : tuple of Slot
        At least one; the first is the default.
    state : Path
        Folder of likes, votes and the service's copies of the bundles.
    host, port : str, int
        Address to listen on; port 0: any free one.
    workers : int
        Processes, from 1 to 256.
    token, swap_token : str or None
        Required for every request, and for swaps; at least 16 printable ASCII characters without
        blanks. `token` is needed unless `host` is a loopback address; without `swap_token` swaps
        are disabled.
    hosts : tuple of str
        Host headers to accept, besides `host` and the loopback's names.
    rate, burst : float, int
        Requests per second and client over all workers, and in one burst; rate 0: no limit.
    most_k, most_bytes : int
        Longest list, and largest request body in bytes.
    patience : float
        Seconds for a client to send its request, and to read its response.
    remote_images : bool
        Whether pages may load images from the web.
    pictures, bundles : Path or None
        Folder of image files, and of the bundles that the swap endpoint may name.
    base_path : str
        Path under which clients reach the service, such as ``/rec``; empty: the root.
    trusted_proxies : tuple of str
        Addresses and networks of proxies, such as ``127.0.0.1`` and ``10.0.0.0/8``, whose
        X-Forwarded-For, -Proto and -Prefix count.
    cors_origins : tuple of str
        Origins, such as ``https://shop.example``, whose pages may read from the API.
    golden : Path or None
        JSON file of checks that a model must pass before it is served.
    log : str
        Access log: ``"-"`` standard output, ``""`` none, else a file to append to.

    Raises
    ------
    SettingError
        A setting is out of range, or two contradict each other.

    Examples
    --------
    >>> slot = Slot("als", Path("runs/x/model"))
    >>> settings = Settings(models=(slot,), state=Path("runs/x/serving"))
    >>> settings.host, settings.port, settings.default
    ('127.0.0.1', 8000, 'als')
    """

    models: tuple[Slot, ...]
    state: Path
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    token: str | None = None
    swap_token: str | None = None
    hosts: tuple[str, ...] = ()
    rate: float = 50.0
    burst: int = 200
    most_k: int = 100
    most_bytes: int = 65536
    patience: float = 10.0
    remote_images: bool = False
    pictures: Path | None = None
    bundles: Path | None = None
    base_path: str = ""
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    golden: Path | None = None
    log: str = "-"

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", Path(self.state))
        _check_models(self.models)
        for label, (lowest, highest) in _RANGES.items():
            _check_number(label, getattr(self, label), lowest, highest)
        for label in ("token", "swap_token"):
            _check_token(label, getattr(self, label))
        for name in (self.host, *self.hosts):
            if not (_HOST_NAME.fullmatch(name) or _is_address(name)):
                raise SettingError(f"A host's name or address expected, not {name!r}.")
        if self.token is None and not is_loopback(self.host):
            raise SettingError(
                f"host {self.host!r} can be reached from other machines, so a token is needed. "
                "Give --token-file (or ALSOLIKE_TOKEN), or listen on 127.0.0.1."
            )
        for label in ("pictures", "bundles"):
            folder = getattr(self, label)
            if folder is not None and not Path(folder).is_dir():
                raise SettingError(f"{label}: {str(folder)!r} is not a folder.")
        object.__setattr__(self, "base_path", _base_path(self.base_path))
        networks = tuple(str(_network(one)) for one in self.trusted_proxies)
        object.__setattr__(self, "trusted_proxies", networks)
        object.__setattr__(self, "cors_origins", tuple(map(_origin, self.cors_origins)))
        if self.token is not None and self.token == self.swap_token:
            raise SettingError(
                "token and swap_token are the same: everybody with access could swap models. "
                "Give the swap endpoint a token of its own."
            )

    @property
    def default(self) -> str:
        """The slot of requests that name none."""
        return self.models[0].name

    def slot(self, name: str) -> Slot:
        """Return the slot of that name; raise SettingError if there is none."""
        for slot in self.models:
            if slot.name == name:
                return slot
        known = ", ".join(slot.name for slot in self.models)
        raise SettingError(f"Unknown model {name!r}. Models here: {known}.")

    def to_file(self, path: str | os.PathLike[str]) -> None:
        """Write the settings, tokens included, as JSON that only the owner may read."""
        stated = asdict(self)
        stated["models"] = [
            {"name": slot.name, "folder": str(slot.folder.absolute())} for slot in self.models
        ]
        for label in _PATHS:
            if stated[label] is not None:
                stated[label] = str(Path(stated[label]).absolute())
        content = json.dumps(stated, indent=2, sort_keys=True) + "\n"
        with replacing(path) as part:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(content)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Settings":
        """Read settings from JSON; only ``models`` and ``state`` are required.

        Raises
        ------
        SettingError
            The file cannot be read, has tokens that other users may read, or has invalid settings.
        """
        file = Path(path)
        stated = _read_json(file)
        unknown = sorted(stated.keys() - {field.name for field in fields(cls)})
        missing = sorted({"models", "state"} - stated.keys())
        if unknown or missing:
            raise SettingError(
                f"{file}: settings missing: {missing}; not settings of a service: {unknown}."
            )
        if (stated.get("token") or stated.get("swap_token")) and file.stat().st_mode & (
            stat.S_IRWXG | stat.S_IRWXO
        ):
            raise SettingError(
                f"{file} holds tokens, and other users of this machine may open it. "
                f"Give the command: chmod 600 {file}"
            )
        try:
            return cls(**_typed(stated))
        except (TypeError, AttributeError) as error:
            raise SettingError(f"{file}: a setting is of the wrong kind ({error}).") from error
        except SettingError as error:
            raise SettingError(f"{file}: {error}") from None


def model_folders(folder: Path) -> tuple[Path, Path | None]:
    """Return the bundles of a slot: the model's, and that for similar items, or None.

    Parameters
    ----------
    folder : Path
        The folder of a run, which may have both, or a bundle.
    """
    inner = folder / MODEL_OF_A_RUN
    if (folder / MANIFEST).exists() or not (inner / MANIFEST).exists():
        return folder, None
    similar = folder / SIMILAR_OF_A_RUN
    return inner, similar if similar.is_dir() else None


def slots(folders: Iterable[str | os.PathLike[str]]) -> tuple[Slot, ...]:
    """Return a slot for each bundle, or folder of a run.

    Parameters
    ----------
    folders : iterable of path
        ``name=folder`` names the slot. The default is the bundle's name, with a number if taken.
        The folder of a run may have a second model, for similar items.

    Raises
    ------
    BundleError
        A folder is not a bundle.
    SettingError
        Two have the same name, or a name is invalid.
    """
    given = [_named(folder) for folder in folders]
    taken = {POPULARITY, *(name for name, _ in given if name)}
    found = []
    for wanted, folder in given:
        own_name = describe(model_folders(folder)[0]).name
        name = _free_name(own_name, taken) if wanted is None else wanted
        taken.add(name)
        found.append(Slot(name, folder))
    _check_models(tuple(found))
    return tuple(found)


def _named(given: str | os.PathLike[str]) -> tuple[str | None, Path]:
    """Return the name of a slot, if given before the folder, and the folder."""
    name, sign, folder = os.fspath(given).partition("=")
    if not sign or not folder or "/" in name or Path(given).exists():
        return None, Path(given)
    return name, Path(folder)


def _free_name(wanted: str, taken: Collection[str]) -> str:
    usual = re.sub(r"[^a-z0-9._-]+", "-", wanted.lower())[:56].lstrip("._-") or "model"
    name, number = usual, 2
    while name in taken:
        name, number = f"{usual}-{number}", number + 1
    return name


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback


_PATHS = ("state", "pictures", "bundles", "golden")

_RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65535),
    "workers": (1, 256),
    "rate": (0, 1e9),
    "burst": (1, 10**9),
    "most_k": (1, 10_000),
    "most_bytes": (1024, 1 << 30),
    "patience": (0.1, 3600),
}
_WHOLE = frozenset({"port", "workers", "burst", "most_k", "most_bytes"})


def _check_models(models: tuple[Slot, ...]) -> None:
    names = [slot.name for slot in models]
    if not names:
        raise SettingError("At least one model is needed to serve.")
    if len(set(names)) < len(names):
        raise SettingError(f"Each model needs a name of its own, these are called {names}.")


def _check_number(label: str, value: object, lowest: float, highest: float) -> None:
    kinds = (int,) if label in _WHOLE else (int, float)
    good = type(value) in kinds and math.isfinite(value) and lowest <= value <= highest  # type: ignore[arg-type, operator]
    if not good:
        raise SettingError(
            f"{label}: {'a whole number' if label in _WHOLE else 'a number'} from {lowest:g} to "
            f"{highest:g} expected, not {value!r}."
        )


def _check_token(label: str, token: str | None) -> None:
    if token is None:
        return
    if len(token) < LEAST_TOKEN or not _TOKEN.fullmatch(token):
        raise SettingError(
            f"{label}: at least {LEAST_TOKEN} printable ASCII characters without blanks expected, "
            f"{len(token)} characters given. Make one: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )


def _base_path(given: str) -> str:
    path = given.rstrip("/")
    if path and not is_base_path(path):
        raise SettingError(
            "base_path: a path of letters, digits and . _ ~ - expected, such as /rec, not "
            f"{given!r}."
        )
    return path


def _network(given: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(given)
    except ValueError as error:
        raise SettingError(
            "trusted_proxies: an address or network expected, such as 127.0.0.1 or 10.0.0.0/8, not "
            f"{given!r} ({error})."
        ) from None


def _origin(given: str) -> str:
    origin = as_origin(given)
    if origin is None:
        raise SettingError(
            "cors_origins: an origin expected, such as https://shop.example, with nothing behind "
            f"the host and its port, not {given!r}. Each origin must be named."
        )
    return origin


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _read_json(path: Path) -> dict[str, Any]:
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise SettingError(f"{path}: JSON expected, something else found ({error}).") from error
    if not isinstance(stated, dict):
        raise SettingError(f"{path}: a JSON object expected, {type(stated).__name__} found.")
    return stated


def _typed(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Convert JSON values to the types of the settings."""
    typed = dict(stated)
    typed["models"] = tuple(Slot(**slot) for slot in stated["models"])
    for label in _PATHS:
        if typed.get(label) is not None:
            typed[label] = Path(typed[label])
    for label in ("hosts", "trusted_proxies", "cors_origins"):
        if label in typed:
            typed[label] = tuple(typed[label])
    return typed
