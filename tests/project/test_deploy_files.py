"""The recipes of docs/deploy give options that exist, and are what their programs take."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from alsolike.cli.group import main
from alsolike.web.settings import is_loopback

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
SERVE = main.commands["serve"]


def checked(words: list[str]) -> dict[str, object]:
    """Parse the words after ``alsolike`` as the command line does; return the options."""
    assert words[0] == "serve"
    parent = click.Context(main, info_name="alsolike", **main.context_settings)
    return SERVE.make_context("serve", words[1:], parent=parent).params


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string((DEPLOY / "alsolike.service").read_text())
    return found


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile and what they are given."""
    text = (DEPLOY / "Containerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(name, given) for name, _, given in (one.partition(" ") for one in lines if one)]


def test_the_unit_starts_the_service_as_the_proxy_expects_it() -> None:
    program, *words = shlex.split(unit()["Service"]["ExecStart"])
    options = checked(words)
    nginx = (DEPLOY / "nginx.conf").read_text()
    assert program.endswith("/alsolike")
    assert f"location {options['base_path']}/ {{" in nginx
    assert f"server 127.0.0.1:{options['port']};" in nginx
    assert options["hosts"] == (re.search(r"server_name (\S+);", nginx)[1],)  # type: ignore[index]
    assert options["trusted_proxies"] == ("127.0.0.1",)
    assert str(options["state"]) == f"/var/lib/{unit()['Service']['StateDirectory']}"


def test_the_proxy_overwrites_what_clients_say_of_themselves() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text()
    for name in ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Prefix"):
        assert len(re.findall(rf"proxy_set_header {name} ", nginx)) == 1
    assert "proxy_pass http://alsolike;" in nginx  # with a path it would remove the base path
    bare = re.sub(r"#.*", "", nginx)
    assert bare.count("{") == bare.count("}")
    for line in filter(None, map(str.strip, bare.splitlines())):
        assert line[-1] in "{};", line


def test_the_container_starts_a_service_that_needs_a_token() -> None:
    steps = instructions()
    assert steps[0] == ("FROM", "python:3.12-slim")
    given = dict(steps)
    words = json.loads(given["ENTRYPOINT"]) + json.loads(given["CMD"])
    assert words[0] == "alsolike"
    options = checked(words[1:])
    assert options["port"] == int(given["EXPOSE"])
    assert not is_loopback(str(options["host"]))
    assert str(options["state"]) == given["VOLUME"]
    assert "[serve]" in given["RUN"]
    assert given["USER"] == "alsolike"
    assert {name for name, _ in steps} <= {
        "FROM", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD",
    }  # fmt: skip


def test_programs_that_are_installed_take_the_files(tmp_path: Path) -> None:
    if systemd := shutil.which("systemd-analyze"):
        text = (DEPLOY / "alsolike.service").read_text()
        (tmp_path / "alsolike.service").write_text(
            text.replace("/opt/alsolike/bin/alsolike", "/bin/true")
        )
        done = subprocess.run(
            [systemd, "verify", tmp_path / "alsolike.service"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
    if nginx := shutil.which("nginx"):
        whole = tmp_path / "nginx.conf"
        whole.write_text(
            f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ include {DEPLOY}/nginx.conf; }}\n"
        )
        done = subprocess.run(
            [nginx, "-t", "-c", whole, "-e", "stderr"], capture_output=True, text=True, check=False
        )
        assert "syntax is ok" in done.stderr
    with pytest.raises(click.UsageError):  # what `checked` would find
        checked(["serve", "model", "--base-pth", "/rec"])
