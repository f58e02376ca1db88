"""Seconds per sweep of both sides, and seconds until the loss is reached, beside the peers.

Run as ``python benchmarks/training.py [--data article,gowalla,synthetic] [--factors 40,128]
[--solvers exact,cg] [--tasks sweep,loss] [--loss linear|additive] [--other SRC]``. A solver may be
followed by settings to be switched on, as in exact+momentum. The objective is the same for all:
confidence 1 + alpha * d, one lambda, unscaled (alsolike.models.als.interop); or with ``--loss
additive`` that of lists with many factors, which only irspack has, too: alpha 1, weight of
unobserved cells .005, and lambda .01 times the row's weights. ``--other`` names the src folder of
another checkout of alsolike, whose sweeps are timed in turns with ours, in a process of its own.

``sweep``: one more sweep, from the factors that a contender's own last one left, without setting
up. ``time to loss``: a whole training from the matrix in memory, with setting up, of as many sweeps
as it takes to bring the exact loss to within 0.1 % of what 30 exact sweeps reach. How many that are
is found before the clock runs, with the loss in float64 by alsolike.models.als.train.loss.

All start from the same user factors and solve the items first, then the users: implicit and irspack
take them, and are given the table the other way round, because they solve its rows first. cmfrec
takes none, and starts from its own; it also trains in one call alone, so its sweep is half of what
three sweeps take longer than one.

Peers run as they advise: their own threads, BLAS held to one. Gowalla is read from the folder that
ALSOLIKE_DATA names. The table named synthetic has 100,000 users, 50,000 items and 10 million
interactions; 300x200x6000 is a made-up table of that size.
"""

import argparse
import functools
import math
import os
import subprocess
import sys
import tempfile
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from _side_by_side import (
    Floats,
    Report,
    Row,
    arguments,
    held,
    hu2008,
    listed,
    own_peak,
    peak_alone,
    peer,
    product_rate,
    seconds_of,
    store,
    stored_table,
    tables,
    take_turns,
)
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.interop import peer_values, to_peer
from alsolike.models.als.model import ALSModel
from alsolike.models.als.train import fit, iterate, loss

LOSSES = {
    "linear": hu2008(),
    "additive": hu2008(
        confidence="additive",
        alpha=1.0,
        unobserved_weight=0.005,
        regularization=0.01,
        regularization_exponent=1.0,
    ),
}
SOLVERS = typing.get_args(typing.get_type_hints(ALSConfig)["solver"])
OURS = (*SOLVERS, *(f"{solver}+momentum" for solver in SOLVERS))
FACTORS = "10,20,40,64,80,120,128,256,512,1024,2048"
MARGIN = 1.001  # of the loss to be reached
OPEN_END = 1_000_000  # sweeps of a training that is stopped from outside
PEERS = (
    ("implicit", "cholesky"),
    ("implicit", "cg"),
    ("irspack", "cholesky"),
    ("irspack", "cg"),
    ("irspack", "ialspp"),
    ("cmfrec", "cholesky"),
    ("cmfrec", "cg"),
)

Factors = tuple[Floats, Floats]


class Contender:
    """One library with one solver, training on one table.

    Parameters
    ----------
    likes : Interactions
    config : ALSConfig
        What is minimized, in our words.
    solver : str
        Its name here.
    threads : int
    """

    name = "alsolike"

    def __init__(self, likes: Interactions, config: ALSConfig, solver: str, threads: int) -> None:
        self.likes, self.config, self.solver, self.threads = likes, config, solver, threads

    @property
    def settings(self) -> str:
        """How it is called, in words."""
        raise NotImplementedError

    def begin(self) -> None:
        """Go back to the start."""
        raise NotImplementedError

    def go_on(self) -> float:
        """Do one more sweep; return its seconds."""
        raise NotImplementedError

    def sweep(self) -> float:
        """Return the seconds of one sweep."""
        return self.go_on()

    def factors(self) -> Factors:
        """Return the factors of users and items as they are."""
        raise NotImplementedError

    def train(self, sweeps: int) -> float:
        """Return the seconds of a whole training from the start."""
        raise NotImplementedError

    def sweeps_to(self, goal: float, most: int) -> tuple[int, float]:
        """Return the sweeps from the start to a loss of at most `goal`, and that loss.

        `most`, and what is reached by then, where that is more.
        """
        self.begin()
        sweeps, reached = 0, math.inf
        while reached > goal and sweeps < most:
            self.go_on()
            sweeps, reached = sweeps + 1, exact_loss(self)
        return sweeps, reached

    def first_users(self) -> Floats:
        """Return the user factors that all start from: those that `ALSConfig` states."""
        shape = self.likes.n_users, self.config.factors
        drawn = np.random.default_rng(self.config.seed).standard_normal(shape)
        return (0.1 / math.sqrt(shape[1]) * drawn).astype(np.float32)

    def first_items(self) -> Floats:
        """Return the item factors before the first sweep: none."""
        return np.zeros((self.likes.n_items, self.config.factors), dtype=np.float32)


class Ours(Contender):
    """This library."""

    def __init__(self, likes: Interactions, config: ALSConfig, solver: str, threads: int) -> None:
        named, *switched_on = solver.split("+")
        settings = {"solver": named} | dict.fromkeys(switched_on, True)
        super().__init__(likes, replace(config, **settings), solver, threads)
        self.engine = LocalEngine(threads)

    @property
    def settings(self) -> str:
        told = self.config.to_settings().items()
        return f"{ {name: value for name, value in told if name not in ('iterations', 'epsilon')} }"

    def begin(self) -> None:
        endless = replace(self.config, iterations=OPEN_END)
        self.models = iterate(self.likes, endless, engine=self.engine)

    def go_on(self) -> float:
        with held(self.threads):
            return seconds_of(self._next)

    def factors(self) -> Factors:
        return self.model.user_factors, self.model.item_factors

    def train(self, sweeps: int) -> float:
        anew = replace(self.likes)  # which has not been transposed yet
        config = replace(self.config, iterations=sweeps)
        with held(self.threads):
            return seconds_of(lambda: fit(anew, config, engine=self.engine))

    def _next(self) -> None:
        self.model = next(self.models)


class Implicit(Contender):
    """Ben Frederickson's implicit: its rows are our items."""

    name = "implicit"

    def __init__(self, likes: Interactions, config: ALSConfig, solver: str, threads: int) -> None:
        super().__init__(likes, config, solver, threads)
        self.matrix = sp.csr_matrix(likes.item_users, copy=True)
        self.matrix.data = peer_values(config, self.matrix.data)
        ours = replace(config, solver="cg" if solver == "cg" else "exact")
        self.called = to_peer(ours, "implicit") | {"num_threads": threads}

    @property
    def settings(self) -> str:
        return f"{self.called}, matrix of 1 + alpha * d, BLAS at one thread"

    def begin(self) -> None:
        self.peer = self._new(1)

    def go_on(self) -> float:
        # As implicit counts the seconds itself: it transposes the matrix anew for each call.
        told: list[float] = []
        with held(1):
            self.peer.fit(
                self.matrix, show_progress=False, callback=lambda _, took, __: told.append(took)
            )
        return told[0]

    def factors(self) -> Factors:
        return self.peer.item_factors, self.peer.user_factors

    def train(self, sweeps: int) -> float:
        peer = self._new(sweeps)
        with held(1):
            return seconds_of(lambda: peer.fit(self.matrix, show_progress=False))

    def _new(self, sweeps: int) -> Any:
        from implicit.cpu.als import AlternatingLeastSquares

        with held(1):
            peer = AlternatingLeastSquares(**self.called | {"iterations": sweeps})
        peer.user_factors, peer.item_factors = self.first_items(), self.first_users()
        return peer


class Irspack(Contender):
    """irspack's iALS: its rows are our items."""

    name = "irspack"

    def __init__(self, likes: Interactions, config: ALSConfig, solver: str, threads: int) -> None:
        super().__init__(likes, config, solver, threads)
        self.called = to_peer(config, "irspack")
        self.called |= {"solver_type": solver.upper(), "n_threads": threads}

    @property
    def settings(self) -> str:
        return f"{self.called}"

    def begin(self) -> None:
        self.peer = self._started()

    def go_on(self) -> float:
        with held(1):
            return seconds_of(self.peer.run_epoch)

    def factors(self) -> Factors:
        core = self.peer.trainer.core_trainer
        return core.item, core.user

    def train(self, sweeps: int) -> float:
        def whole() -> None:
            peer = self._started()
            for _ in range(sweeps):
                peer.run_epoch()

        with held(1):
            return seconds_of(whole)

    def _started(self) -> Any:
        from irspack import IALSRecommender

        peer = IALSRecommender(self.likes.item_users, **self.called)
        peer.start_learning()
        core = peer.trainer.core_trainer
        core.user, core.item = self.first_items(), self.first_users()
        return peer


class Cmfrec(Contender):
    """cmfrec's implicit model, with the settings that its documentation names the fastest."""

    name = "cmfrec"

    def __init__(self, likes: Interactions, config: ALSConfig, solver: str, threads: int) -> None:
        super().__init__(likes, config, solver, threads)
        self.matrix = sp.coo_matrix(likes.user_items)
        self.called = {
            "k": config.factors,
            "lambda_": config.regularization,
            "alpha": config.alpha,
            "use_cg": solver == "cg",
            "max_cg_steps": config.cg_steps,
            "finalize_chol": False,
            "use_float": True,
            "precompute_for_predictions": False,
            "produce_dicts": False,
            "nthreads": threads,
        }

    @property
    def settings(self) -> str:
        return f"{self.called}, a start of its own, BLAS at one thread"

    def begin(self) -> None:
        self.done = 0

    def go_on(self) -> float:
        self.done += 1
        return self.train(self.done)

    def sweep(self) -> float:
        return max(self.train(3) - self.train(1), 0.0) / 2

    def sweeps_to(self, goal: float, most: int) -> tuple[int, float]:
        # Each look is a training of its own: twice the sweeps until they are enough, then halves.
        @functools.cache
        def reached(sweeps: int) -> float:
            self.train(sweeps)
            return exact_loss(self)

        few, enough = 0, 1
        while reached(enough) > goal:
            if enough == most:
                return most, reached(most)
            few, enough = enough, min(2 * enough, most)
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if reached(middle) <= goal else (middle, enough)
        return enough, reached(enough)

    def factors(self) -> Factors:
        return self.peer.A_, self.peer.B_

    def train(self, sweeps: int) -> float:
        from cmfrec import CMF_implicit

        self.peer = CMF_implicit(niter=sweeps, **self.called)
        with held(1):
            return seconds_of(lambda: self.peer.fit(self.matrix))


class Elsewhere(Contender):
    """Another checkout of alsolike, in a process of its own that does a sweep when asked to."""

    name = "other"

    @property
    def settings(self) -> str:
        return "as alsolike"

    def start(self, source: str, *given: object) -> None:
        """Say where the checkout is, and how the process is started."""
        self.command = [sys.executable, sys.argv[0], "--alone", "alsolike exact", "--each"]
        self.command += [*map(str, given)]
        self.environment = os.environ | {"PYTHONPATH": source}

    def begin(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            self.command, env=self.environment, stdin=pipe, stdout=pipe, text=True
        )

    def go_on(self) -> float:
        print(file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())  # type: ignore[union-attr]

    def end(self) -> None:
        """Let the process end."""
        self.process.communicate()


LIBRARIES: dict[str, Callable[..., Contender]] = {
    "alsolike": Ours,
    "implicit": Implicit,
    "irspack": Irspack,
    "cmfrec": Cmfrec,
    "other": Elsewhere,
}


def names_of(asked: argparse.Namespace) -> list[str]:
    """Return who takes part, as "library solver"."""
    ours = [f"alsolike {solver}" for solver in listed(asked.solvers)]
    wanted = [(name, solver) for name, solver in PEERS if solver in listed(asked.peer_solvers)]
    if asked.loss == "additive":
        wanted = [(name, solver) for name, solver in wanted if name == "irspack"]
    peers = [f"{name} {solver}" for name, solver in wanted if peer(name, asked) is not None]
    return ours + ["other exact"] * bool(asked.other) + peers


def contender(name: str, likes: Interactions, factors: int, asked: argparse.Namespace) -> Contender:
    """Return the contender of that name."""
    library, solver = name.split()
    config = replace(LOSSES[asked.loss], factors=factors)
    return LIBRARIES[library](likes, config, solver, asked.threads)


def started(
    names: list[str], likes: Interactions, asked: argparse.Namespace, stored: tuple[Path, int]
) -> dict[str, Contender]:
    """Return the contenders of these names, on a table that is also stored in a folder."""
    found = {name: contender(name, likes, stored[1], asked) for name in names}
    for one in found.values():
        if isinstance(one, Elsewhere):
            one.start(asked.other, *of_process(asked, *stored))
    return found


def of_process(asked: argparse.Namespace, folder: Path, factors: int) -> tuple[object, ...]:
    """Return the arguments of a process with one contender."""
    return (
        "--stored", folder, "--factors", factors, "--threads", asked.threads, "--loss", asked.loss,
    )  # fmt: skip


def flops(likes: Interactions, factors: int) -> float:
    """Return the least floating-point operations of an exact sweep, by the dual where n < f.

    Per row: n f m for the system of size m = min(n, f) (half of it, by symmetry), m^3 / 3 to solve
    it, 4 n f for both sides of it. Per side: f^2 for each row of the Gramian.
    """
    total = 0.0
    for counts in (likes.user_counts, likes.item_counts):
        n = counts.astype(np.float64)
        m = np.minimum(n, factors)
        total += (n * factors * m + m**3 / 3 + 4 * n * factors + factors**2).sum()
    return total


def sweep_rows(
    entrants: dict[str, Contender], asked: argparse.Namespace, stored: tuple[Path, int]
) -> Iterator[Row]:
    """Yield what one more sweep takes each contender."""
    for one in entrants.values():
        one.begin()
    taken = take_turns({name: one.sweep for name, one in entrants.items()}, asked.turns)
    for one in entrants.values():
        if isinstance(one, Elsewhere):
            one.end()
    for name, seconds in taken.items():
        exact = name.endswith(("exact", "cholesky"))
        work = flops(entrants[name].likes, stored[1]) if exact else None
        is_ours = not isinstance(entrants[name], Elsewhere)
        peak = peak_of(name, asked, *stored) if is_ours and not asked.no_memory else None
        yield Row("sweep", name, seconds, work, peak)


def loss_rows(entrants: dict[str, Contender], asked: argparse.Namespace) -> Iterator[Row]:
    """Yield how long each contender takes to come to the loss that exact sweeps reach."""
    any_one = next(iter(entrants.values()))
    # The plain method, whatever switches the first contender has.
    config = replace(any_one.config, momentum=False)
    exact = Ours(any_one.likes, config, "exact", asked.threads)
    goal = MARGIN * loss_after(exact, asked.goal_sweeps)
    needed = {name: one.sweeps_to(goal, asked.most_sweeps) for name, one in entrants.items()}
    clocks = {
        name: lambda name=name: entrants[name].train(needed[name][0])
        for name in entrants
        if needed[name][1] <= goal
    }
    taken = take_turns(clocks, asked.turns)
    for name, (sweeps, reached) in needed.items():
        more = {"sweeps": sweeps, "loss_to_goal": round(reached / goal, 6)}
        yield Row("time to loss", name, taken.get(name, []), more=more)


def loss_after(one: Contender, sweeps: int) -> float:
    """Return the exact loss after so many sweeps from the start."""
    one.begin()
    for _ in range(sweeps):
        one.go_on()
    return exact_loss(one)


def exact_loss(one: Contender) -> float:
    """Return the loss of a contender's factors, float64."""
    likes = one.likes
    model = ALSModel(
        users=likes.users,
        items=likes.items,
        user_factors=np.array(one.factors()[0], dtype=np.float32),
        item_factors=np.array(one.factors()[1], dtype=np.float32),
        eigenvalues=np.zeros(one.config.factors),  # which the loss does not ask for
        item_counts=likes.item_counts,
        settings=one.config.to_settings(),
    )
    return loss(model, likes, engine=LocalEngine(one.threads))


def peak_of(name: str, asked: argparse.Namespace, folder: Path, factors: int) -> float | None:
    """Return the peak memory of two sweeps of one contender in a process of its own."""
    return peak_alone("--alone", name, *of_process(asked, folder, factors))


def alone(asked: argparse.Namespace) -> int:
    """Do two sweeps of one contender and print this process's peak memory.

    Or do one for each line of input, and print its seconds.
    """
    likes = stored_table(asked.stored, "likes")
    one = contender(asked.alone, likes, int(asked.factors), asked)
    one.begin()
    if asked.each:
        for _ in sys.stdin:
            print(one.go_on(), flush=True)
        return 0
    one.go_on()
    one.go_on()
    print(own_peak())
    return 0


def compare(report: Report, asked: argparse.Namespace, data: str, likes: Interactions) -> None:
    """Print and keep one table for each number of factors."""
    with tempfile.TemporaryDirectory() as folder:
        store(Path(folder), likes=likes.user_items)
        for factors in map(int, listed(asked.factors)):
            rate = product_rate(asked.threads)
            entrants = started(names_of(asked), likes, asked, (Path(folder), factors))
            rows: list[Row] = []
            if "sweep" in listed(asked.tasks):
                rows += sweep_rows(entrants, asked, (Path(folder), factors))
            if "loss" in listed(asked.tasks):
                ours = {n: o for n, o in entrants.items() if not isinstance(o, Elsewhere)}
                rows += loss_rows(ours, asked)
            work = flops(likes, factors) / 1e9
            report.section(
                f"{data}: {likes!r}; {factors} factors, an exact sweep {work:.1f} GFLOP at least",
                rows,
                rate=rate,
                settings={name: one.settings for name, one in entrants.items()},
                data=data,
                factors=factors,
                exact_sweep_gflop=round(work, 3),
            )


def main() -> int:
    """Compare for each table and each number of factors asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--data", default="article", help="several, separated by commas")
    parser.add_argument("--factors", default=FACTORS)
    parser.add_argument("--solvers", default=",".join(OURS), help="ours, as exact,exact+momentum")
    parser.add_argument("--peer-solvers", default="cholesky,cg,ialspp", help="the peers' own")
    parser.add_argument("--tasks", default="sweep,loss")
    parser.add_argument("--loss", default="linear", choices=LOSSES)
    parser.add_argument("--other", help="src folder of another checkout, for exact sweeps")
    parser.add_argument("--each", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--goal-sweeps", type=int, default=30, help="exact sweeps of the goal")
    parser.add_argument("--most-sweeps", type=int, default=60, help="before a contender gives up")
    asked = parser.parse_args()
    if asked.alone:
        return alone(asked)
    report = Report("training", asked)
    for data, likes, _ in tables(asked.data):
        compare(report, asked, data, likes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
