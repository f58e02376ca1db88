"""Runs the main job step by step: from a table of likes to a report, a model and its lists.

The steps: read, filter, split, search, choose, score on test users, refit, write. Similar items are
chosen and scored on users whom training never saw, and may come from another model than the lists.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.data.filtering import FilterReport, filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.reading.read import ReadReport, read
from alsolike.data.splitting.split import Split
from alsolike.engines.hardware import available
from alsolike.errors import DataError, DegenerateError
from alsolike.evaluation.ablation import has_features
from alsolike.evaluation.item_to_item.agreement import FeatureVectors
from alsolike.evaluation.item_to_item.unseen_users import folds_of, unseen_users
from alsolike.models.base import FittedModel
from alsolike.models.family import TrainingData
from alsolike.models.fit import fit
from alsolike.models.protocols import compares_items
from alsolike.models.registry import family_of
from alsolike.pipeline.job import Job, ResolvedJob, resolve
from alsolike.pipeline.measure import measure_features, measure_folds, measure_lists
from alsolike.pipeline.outcome import LIST_LENGTH, Outcome
from alsolike.pipeline.outputs import (
    publish,
    seconds_of_a_figure,
    seconds_reserved,
    write_without_model,
)
from alsolike.pipeline.recommendations import USERS_PER_PART
from alsolike.pipeline.remarks import ChosenRun
from alsolike.pipeline.similar_items.compare import (
    FeatureSource,
    compare_similar_items,
    describe_features,
    with_settings,
)
from alsolike.pipeline.similar_items.contestants import (
    contestants_of,
    families_of_contestants,
    similar_configs,
)
from alsolike.pipeline.similar_items.measurement import Measuring
from alsolike.pipeline.similar_items.report import NotCompared, SimilarItemsReport
from alsolike.progress import SILENT, Observer
from alsolike.recommending.batch import similar
from alsolike.recommending.similarity import nothing_similar
from alsolike.storage.atomic import alone_in
from alsolike.system_errors import BEFORE_DRAWING, expect_to_draw
from alsolike.tuning.budget.budget import Budget
from alsolike.tuning.budget.memory_forecast import MemoryForecast, at_once, forecast, largest
from alsolike.tuning.candidate_families import Lineup
from alsolike.tuning.execution.combinations import expected_combinations, memory_of_stage
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.presets import Preset
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import Strategy, Trial


@dataclass(frozen=True)
class Prepared:
    """The data of the search, the reports of the steps before it, and what is trained."""

    how_read: ReadReport
    how_filtered: FilterReport
    preset: Preset
    kept: Interactions
    split: Split
    lineup: Lineup
    strategy: Strategy | None
    features: FeatureVectors | None = None
    folds: tuple[Split, ...] = ()

    @property
    def expected(self) -> list[Trial]:
        """The trainings of the search, or about as many of their cost."""
        return [] if self.strategy is None else self.strategy.expected(self.preset.sweeps)

    @property
    def may_be_chosen(self) -> list[Any]:
        """The configurations of these trainings and of the other candidates."""
        return [*(trial.config for trial in self.expected), *self.lineup.candidates]

    @property
    def combined(self) -> list[Any]:
        """About the largest model made of the best of these, if there are any."""
        data, train = TrainingData(self.split.train), self.split.train
        return expected_combinations(
            self.lineup.combined,
            self.may_be_chosen,
            data,
            lambda one: family_of(one).cost(one, train.n_users, train.n_items),
        )[:1]


def run_job(job: Job, *, observer: Observer = SILENT) -> Outcome:
    """Run the whole job and write its results to ``job.out``.

    The same job after a kill resumes: trainings in the ledger are not repeated. The same job gives
    the same bytes, except for the ledger's times.

    Parameters
    ----------
    job : Job
    observer : Observer
        Receives each finding and the progress of each step.

    Returns
    -------
    Outcome

    Raises
    ------
    AlsolikeError
        Any error, with the way out; see `alsolike.errors`. DegenerateError: no training ranks
        better than at random; no model is written, and a report says so.
    """
    resolved = resolve(job)
    with alone_in(job.out):
        return _run(resolved, observer)


def _run(resolved: ResolvedJob, observer: Observer) -> Outcome:
    job, engine = resolved.job, resolved.engine
    expect_to_draw(BEFORE_DRAWING)  # and not after hours of training
    prepared = prepare(resolved, observer=observer)
    # Before the forecast of memory, which then includes the library that draws.
    figure = None if job.search.budget is None else seconds_of_a_figure()
    expected = forecast_memory(resolved, prepared)
    observer.tell(expected)
    if danger := expected.danger(available()):
        observer.warn(danger)
    try:
        found = search_settings(resolved, prepared, figure=figure, observer=observer)
    except DegenerateError as none:
        steps = prepared.how_read, prepared.how_filtered, prepared.split
        raise write_without_model(none, job.out, *steps, command=job.command) from None
    run = job.search.chosen_run(found)
    test = by_fold = ablated = None
    try:
        compared = compare(resolved, prepared, found, observer=observer)
        observer.tell(compared)  # the first result: whether it is better than baselines
        if not found.objective.is_of_unseen_users:
            test = measure_lists(resolved, prepared.split, found, features=prepared.features)
            observer.tell(test)
            ablated = measure_features(
                resolved,
                prepared.split,
                found,
                exclude_seen=prepared.preset.exclude_seen,
                observer=observer,
            )
            if ablated is not None:
                observer.tell(ablated)
        if prepared.folds:
            by_fold = measure_folds(resolved, prepared.folds, found, observer=observer)
            observer.tell(by_fold)
    finally:
        observer.tell(found)
    observer.tell(ChosenRun(found, run))
    model, similar_model = refit(resolved, prepared, found, compared, observer=observer)
    beside_items = model if similar_model is None else similar_model
    outcome = Outcome(
        how_read=prepared.how_read,
        how_filtered=prepared.how_filtered,
        split=prepared.split,
        found=found,
        chosen_run=run,
        test=test,
        by_fold=by_fold,
        ablation=ablated,
        compared=compared,
        model=model,
        similar_model=similar_model,
        similar_items=(
            similar(beside_items, k=LIST_LENGTH, engine=engine, observer=observer)
            if compares_items(beside_items)
            else nothing_similar(beside_items)
        ),
        seed=job.seed,
        with_history=job.with_history,
        tried=str(prepared.lineup),
    )
    publish(
        outcome,
        job.out,
        command=job.command,
        remote_images=job.remote_images,
        image_folder=resolved.image_folder,
        engine=engine,
        observer=observer,
    )
    return outcome


def prepare(resolved: ResolvedJob, *, observer: Observer = SILENT) -> Prepared:
    """Read, filter and split the data, and choose the families and the strategy."""
    job = resolved.job
    likes, how_read = read(job.source, threads=job.threads, observer=observer, **job.reading)
    observer.tell(how_read)
    job.expect_times(likes)
    preset = resolved.preset(likes)
    kept, how_filtered = filter_counts(
        likes, min_per_user=preset.min_per_user, min_per_item=preset.min_per_item
    )
    observer.tell(how_filtered)
    preset = resolved.preset(kept)  # by the counts of what is left
    folds = resolved.folds(kept)
    split = folds[-1] if folds else resolved.split(kept, preset)
    observer.tell(split)
    lineup = resolved.lineup(split.train, preset)
    if lineup.by_default:
        observer.tell(lineup)
    strategy = resolved.strategy(preset, lineup)
    features = None
    if job.agree is not None:
        features = FeatureSource.of(job.agree).read(kept)
        observer.tell(describe_features(features))
    return Prepared(how_read, how_filtered, preset, kept, split, lineup, strategy, features, folds)


def compare(
    resolved: ResolvedJob,
    prepared: Prepared,
    found: SearchResult,
    *,
    observer: Observer = SILENT,
) -> SimilarItemsReport | NotCompared:
    """Choose the model of similar items and its mark, on users whom training never saw."""
    job, objective = resolved.job, found.objective
    try:
        folds = unseen_users(prepared.kept, seed=job.seed)
    except DataError as error:
        return NotCompared(f"Similar items are not measured, nor their dial chosen. {error}")
    run = job.search.chosen_run(found)
    return compare_similar_items(
        contestants_of(found, run, prepared.split.train),
        Measuring(
            folds=folds,
            metric=objective.metric if objective.is_of_unseen_users else "precision",
            k=objective.k,
            seed=job.seed,
            features=prepared.features,
            popularity_bias=resolved.popularity_bias,
        ),
        run,
        folder=job.out,
        engine=resolved.engine,
        observer=observer,
        one_model=job.one_model,
    )


def refit(
    resolved: ResolvedJob,
    prepared: Prepared,
    found: SearchResult,
    compared: SimilarItemsReport | NotCompared,
    *,
    observer: Observer = SILENT,
) -> tuple[FittedModel, FittedModel | None]:
    """Fit to all interactions the model of the lists, and that of similar items if it is another.

    Each compares items by its own settings.
    """
    kept, engine = prepared.kept, resolved.engine
    observer.tell(f"Fitting the chosen settings to all {kept.n_interactions:,} interactions.")
    model = fit(kept, resolved.job.search.chosen(found), engine=engine, observer=observer)
    model = with_settings(model, compared.settings_of_lists, resolved.popularity_bias)
    other = compared.other_model
    if other is None:
        return model, None
    observer.tell(f"Fitting {other.contestant.name} too: it is better beside items.")
    beside = fit(kept, other.contestant.config, engine=engine, observer=observer)
    return model, with_settings(beside, other.config, resolved.popularity_bias)


def forecast_memory(resolved: ResolvedJob, prepared: Prepared) -> MemoryForecast:
    """Forecast the peak memory of the rest of the job."""
    preset, lineup, threads = prepared.preset, prepared.lineup, resolved.engine.threads
    configs, combined = prepared.may_be_chosen, prepared.combined
    return forecast(
        prepared.kept,
        [*configs, *combined, *similar_configs(configs, prepared.split.train)],
        points=len(prepared.expected) * len(preset.sweeps) * (1 + len(preset.beside)),
        test_users=len(prepared.split.test_users),
        folds=folds_of(prepared.kept),
        shelf=LIST_LENGTH,
        threads=threads,
        baselines=max(
            at_once(prepared.split.train, [*lineup.baselines, *lineup.candidates], threads),
            memory_of_stage(combined, prepared.split, threads),
        ),
        workers=resolved.job.search.workers,
        part=USERS_PER_PART,
    )


def seconds_as(config: Any, trained: Sequence[tuple[Any, float]]) -> float:
    """Return the shortest time of its family with as many factors or more, else the longest.

    0 without any of its family.
    """
    family = family_of(config)
    alike = [(family.factors(one), seconds) for one, seconds in trained
             if family_of(one) is family]  # fmt: skip
    larger = [seconds for factors, seconds in alike if factors >= family.factors(config)]
    return min(larger) if larger else max((seconds for _, seconds in alike), default=0.0)


def search_settings(
    resolved: ResolvedJob,
    prepared: Prepared,
    *,
    figure: float | None = None,
    observer: Observer = SILENT,
) -> SearchResult:
    """Search, with candidates and baselines on the same leaderboard.

    `figure` is the seconds that a small figure takes, if the rest of the job follows.
    """
    job, preset, lineup = resolved.job, prepared.preset, prepared.lineup
    runs = len(prepared.may_be_chosen)
    after, share = 1.0 + 0.01 * runs, 0.0  # only a ranking follows
    folds = folds_of(prepared.kept)
    finalists = families_of_contestants(prepared.may_be_chosen, prepared.split.train)
    if figure is not None:
        after = seconds_reserved(
            figure,
            runs=runs,
            points=len(prepared.expected) * len(preset.sweeps),
            scores=len(prepared.split.test_users) * prepared.kept.n_items,
            similar=folds * len(finalists) * prepared.kept.n_items**2,
            model=largest(prepared.split.train, [*prepared.may_be_chosen, *prepared.combined]),
        )
        # Threads never gain all that their number says.
        share = 1 / max(0.75 * resolved.engine.threads, 1.0)

    small = similar_configs(prepared.may_be_chosen, prepared.split.train)
    own = Counter(finalists) - Counter(family_of(one).name for one in small)

    def afterwards(trained: Sequence[tuple[Any, float]]) -> float:
        """Reserve time for fits of the chosen settings, and for each finalist on each fold."""
        longest: dict[str, float] = {}
        for config, seconds in trained:
            family = family_of(config).name
            longest[family] = max(longest.get(family, 0.0), seconds)
        beside = sum(seconds_as(one, trained) for one in small)
        beside += sum(times * longest.get(family, 0.0) for family, times in own.items())
        fits = 2 + len(prepared.folds) + (3 if has_features(prepared.split.train) else 0)
        return after + share * (fits * max(longest.values(), default=0.0) + folds * beside)

    with Ledger(resolved.ledger) as ledger:
        return search(
            prepared.split,
            () if prepared.strategy is None else prepared.strategy,
            objective=[preset.ranking(job.seed), *preset.beside],
            budget=Budget(seconds=job.search.left(), afterwards=afterwards, forecast=True),
            sweeps=preset.sweeps,
            candidates=lineup.candidates,
            baselines=lineup.baselines,
            combined=lineup.combined,
            ledger=ledger,
            workers=job.search.workers,
            engine=resolved.engine,
            observer=observer,
        )
