"""Commands that get SIGINT, SIGTERM or SIGHUP at random moments: one line, and nothing left behind?

Run as ``python benchmarks/signals.py [--each 50] [--verbs read run] [--second 0.3]``. Each verb is
started so often for each signal, in a process group of its own, as a terminal does it; the signal
goes to all of the group, after a delay drawn evenly from the time that the verb takes. In a share
of the cases it comes a second time shortly after.

A moment before Python has loaded the first line of alsolike is nobody's to answer for: such cases
are counted as "before". All others must end with 130, 143 or 129, or have been done already, with
one line at most, no traceback, no scratch folder, no file with half a name and no process of
theirs. Printed is how often each outcome came; this fails where another one came.
"""

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
WORDS = {130: b"Interrupted. ", 143: b"Terminated. ", 129: b"Ended, since "}
VERBS = {
    "read": "read {likes}.zst --to {out}/read.csv",
    "csv": "read {likes} --to {out}/read.parquet",
    "split": "split {likes} --to {out}/parts",
    "fit": "fit {likes} --to {out}/model --set factors=8",
    "run": "run {likes} --out {out}/run --grid factors=4,8 --baselines popularity",
    "workers": "run {likes} --out {out}/two --grid factors=4,8 --baselines popularity --workers 2",
    "similar": "similar {model} --all --to {out}/similar.csv",
    "export": "export {model} --to {out}/export --users",
}


def write_likes(path: Path, *, users: int, items: int, per_user: int) -> Path:
    """Write a made-up table, and the same packed by Zstandard where that is to be had."""
    chance = random.Random(0)
    lines = (f"u{u},i{i}\n" for u in range(users) for i in chance.sample(range(items), per_user))
    path.write_text("user,item\n" + "".join(lines))
    if shutil.which("zstd"):
        subprocess.run(["zstd", "-q", "-f", str(path), "-o", f"{path}.zst"], check=True)
    else:
        shutil.copy(path, f"{path}.zst.csv")
    return path


def begun(words: Sequence[str], scratch: Path) -> subprocess.Popen[bytes]:
    """Return the command line at work, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "alsolike", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
        start_new_session=True,
        preexec_fn=listening,  # noqa: PLW1509 - there are no threads here
    )


def listening() -> None:
    """Take all signals: a shell starts what it has in the background with some switched off."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def outcome(
    words: Sequence[str], number: int, delay: float, second: float | None, folder: Path
) -> str:
    """Run a command until a signal comes; return in words how it ended."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    process = begun(words, scratch)
    for pause in (delay, second):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=pause) if pause is not None else None
        with contextlib.suppress(ProcessLookupError):
            if pause is not None:
                os.killpg(process.pid, number)
    _, said = process.communicate(timeout=120)
    left = [*scratch.iterdir(), *half_written(folder / "out")]
    if left:
        return f"left {', '.join(re.sub('[0-9a-f]{16}', 'X', path.name) for path in left)}"
    if group := list(living(process.pid)):
        return f"left {len(group)} processes"
    return ending(number, process.returncode, said)


def ending(number: int, status: int, said: bytes) -> str:
    """Return in words how a command ended, by its status and by what it said."""
    if status == 0:
        return "done already"
    if status == -number or (b"alsolike" not in said and b"KeyboardInterrupt" in said):
        return "before"
    if status != SIGNALS[signal.Signals(number)]:
        return f"status {status}: {said[-300:]!r}"
    lines = said.splitlines()
    ends = [line for line in lines if line.startswith(WORDS[status])]
    faults = [line for line in lines if re.search(rb"Traceback|Error|ignored in|  File", line)]
    if ends != lines[-1:] or faults:  # before that there may be progress and warnings
        return f"said {said[-300:]!r}"
    return "one line"


def half_written(folder: Path) -> list[Path]:
    """Return what has half a name."""
    found = folder.rglob(".*") if folder.exists() else ()
    return [path for path in found if path.suffix in (".part", ".old")]


def living(group: int) -> Iterator[int]:
    """Yield the processes of a group that are there half a second after its first has ended."""
    end = time.monotonic() + 0.5
    while found := list(members(group)):
        if time.monotonic() > end:
            yield from found
            return
        time.sleep(0.02)


def members(group: int) -> Iterator[int]:
    """Yield the processes of a group that have not ended; only Linux says so."""
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, owner = place.read_text().rpartition(")")[2].split()[:3]
            if int(owner) == group and state != "Z":
                yield int(place.parent.name)


def seconds_of(words: Sequence[str], folder: Path) -> float:
    """Return how long a command takes that nobody disturbs."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    start = time.perf_counter()
    process = begun(words, scratch)
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}:\n{said.decode()}")
    return time.perf_counter() - start


def counted(verb: str, each: int, second: float, folder: Path, chance: random.Random) -> Counter:
    """Return how often each outcome came, by signal."""
    places = {"likes": folder / "likes.csv", "out": folder / "out", "model": folder / "model"}
    words = VERBS[verb].format(**places).split()
    takes, found = seconds_of(words, folder), Counter()
    for number in SIGNALS:
        for _ in range(each):
            shutil.rmtree(folder / "out", ignore_errors=True)
            again = chance.uniform(0, 0.05) if chance.random() < second else None
            ended = outcome(words, number, chance.uniform(0.02, takes), again, folder)
            found[number.name, ended] += 1
    print(f"{verb}: undisturbed {takes:.1f} s", flush=True)
    for (name, ended), times in sorted(found.items()):
        print(f"  {name} {times} times: {ended}", flush=True)
    return found


def parsed() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--each", type=int, default=50, help="of each signal, for each verb")
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=["read", "run"])
    parser.add_argument("--second", type=float, default=0.3, help="share with a second signal")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    return parser.parse_args()


def main() -> int:
    """Send signals; fail where a command ended otherwise than it should."""
    asked = parsed()
    chance, found = random.Random(asked.seed), Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        likes = write_likes(folder / "likes.csv", users=asked.users, items=500, per_user=12)
        seconds_of(["fit", str(likes), "--to", str(folder / "model"), "--set", "factors=4"], folder)
        for verb in asked.verbs:
            found += counted(verb, asked.each, asked.second, folder, chance)
    bad = {ended for _, ended in found} - {"one line", "done already", "before"}
    print(f"{found.total()} signals: {'as they should' if not bad else 'NOT as they should'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
