"""alsolike: the recommender for anyone with a table of likes.

Public names are imported on first use, so that ``import alsolike`` is quick.
"""

from __future__ import annotations

from alsolike._version import __version__ as __version__

TYPE_CHECKING = False  # not from typing, which takes longer to load than all else here

if TYPE_CHECKING:
    from typing import Any

    from alsolike.data.anonymizing.anonymize import anonymize
    from alsolike.data.features.features import Features, FeatureTable
    from alsolike.data.filtering import filter_counts
    from alsolike.data.interactions import Interactions
    from alsolike.data.merge import joined
    from alsolike.data.pictures.vectors import picture_vectors
    from alsolike.data.reading.features.further import encode_more
    from alsolike.data.reading.features.item_vectors import text_vectors
    from alsolike.data.reading.features.near_duplicates import near_duplicates
    from alsolike.data.reading.features.read_features import read_features, with_features
    from alsolike.data.reading.read import read
    from alsolike.data.splitting.folds import split_folds
    from alsolike.data.splitting.new_items import hold_out_new_items
    from alsolike.data.splitting.split import Split
    from alsolike.data.splitting.splitters import (
        hold_out,
        hold_out_by_time,
        hold_out_fraction,
        hold_out_users,
        leave_one_out,
    )
    from alsolike.data.splitting.unseen_users import hold_out_unseen_users
    from alsolike.errors import AlsolikeError
    from alsolike.evaluation.ablation import ablation
    from alsolike.evaluation.cold_items.evaluate import evaluate_new_items
    from alsolike.evaluation.folds import evaluate_folds
    from alsolike.evaluation.metrics.evaluate import evaluate
    from alsolike.evaluation.metrics.ratings import evaluate_ratings
    from alsolike.export.factors import export_factors
    from alsolike.models.als.config import ALSConfig
    from alsolike.models.als.train import fold_in, fold_in_items, loss
    from alsolike.models.baselines.popularity import fit_popularity
    from alsolike.models.blend.config import BlendConfig
    from alsolike.models.bundle.io import load, save
    from alsolike.models.explicit_als.config import ExplicitALSConfig
    from alsolike.models.factor_model import FactorModel
    from alsolike.models.feature_als.config import FeatureALSConfig
    from alsolike.models.fit import fit, iterate
    from alsolike.models.linear.ease import EASEConfig
    from alsolike.models.linear.sparse import SparseLinearConfig
    from alsolike.models.lmf.config import LMFConfig
    from alsolike.models.neighbours.config import ItemKNNConfig
    from alsolike.models.pairwise.config import BPRConfig, WARPConfig
    from alsolike.models.profile.config import ItemProfileConfig
    from alsolike.models.similarity.config import SimilarityConfig
    from alsolike.pipeline.job import Job
    from alsolike.pipeline.run import run_job
    from alsolike.recommending.affinities import with_similarity
    from alsolike.recommending.baskets import similar_to_set
    from alsolike.recommending.batch import recommend, similar
    from alsolike.recommending.co_likes import why_similar
    from alsolike.recommending.explain import explain
    from alsolike.recommending.features.answers import (
        items_for_features,
        recommend_for_features,
        suggest_features,
    )
    from alsolike.recommending.features.new_items import add_items
    from alsolike.recommending.new_users import recommend_to_new
    from alsolike.recommending.pair_scores import scores
    from alsolike.recommending.ratings import predict_ratings, predict_ratings_for
    from alsolike.recommending.rules.rules import Rules
    from alsolike.recommending.similarity import similar_users
    from alsolike.recommending.single import recommend_for_likes
    from alsolike.tables import Table
    from alsolike.tuning.options import Searching
    from alsolike.tuning.search import search
    from alsolike.tuning.strategies.search_space import Range, expand
    from alsolike.views.gallery import gallery

__all__ = [
    "ALSConfig",
    "AlsolikeError",
    "BPRConfig",
    "BlendConfig",
    "EASEConfig",
    "ExplicitALSConfig",
    "FactorModel",
    "FeatureALSConfig",
    "FeatureTable",
    "Features",
    "Interactions",
    "ItemKNNConfig",
    "ItemProfileConfig",
    "Job",
    "LMFConfig",
    "Range",
    "Rules",
    "Searching",
    "SimilarityConfig",
    "SparseLinearConfig",
    "Split",
    "Table",
    "WARPConfig",
    "ablation",
    "add_items",
    "anonymize",
    "encode_more",
    "evaluate",
    "evaluate_folds",
    "evaluate_new_items",
    "evaluate_ratings",
    "expand",
    "explain",
    "export_factors",
    "filter_counts",
    "fit",
    "fit_popularity",
    "fold_in",
    "fold_in_items",
    "gallery",
    "hold_out",
    "hold_out_by_time",
    "hold_out_fraction",
    "hold_out_new_items",
    "hold_out_unseen_users",
    "hold_out_users",
    "items_for_features",
    "iterate",
    "joined",
    "leave_one_out",
    "load",
    "loss",
    "near_duplicates",
    "picture_vectors",
    "predict_ratings",
    "predict_ratings_for",
    "read",
    "read_features",
    "recommend",
    "recommend_for_features",
    "recommend_for_likes",
    "recommend_to_new",
    "run_job",
    "save",
    "scores",
    "search",
    "similar",
    "similar_to_set",
    "similar_users",
    "split_folds",
    "suggest_features",
    "text_vectors",
    "why_similar",
    "with_features",
    "with_similarity",
]

_MODULES = {
    "data.anonymizing.anonymize": ("anonymize",),
    "data.features.features": ("Features", "FeatureTable"),
    "data.filtering": ("filter_counts",),
    "data.interactions": ("Interactions",),
    "data.merge": ("joined",),
    "data.pictures.vectors": ("picture_vectors",),
    "data.reading.features.further": ("encode_more",),
    "data.reading.features.item_vectors": ("text_vectors",),
    "data.reading.features.near_duplicates": ("near_duplicates",),
    "data.reading.features.read_features": ("read_features", "with_features"),
    "data.reading.read": ("read",),
    "data.splitting.folds": ("split_folds",),
    "data.splitting.new_items": ("hold_out_new_items",),
    "data.splitting.split": ("Split",),
    "data.splitting.splitters": (
        "hold_out",
        "hold_out_by_time",
        "hold_out_fraction",
        "hold_out_users",
        "leave_one_out",
    ),
    "data.splitting.unseen_users": ("hold_out_unseen_users",),
    "errors": ("AlsolikeError",),
    "evaluation.ablation": ("ablation",),
    "evaluation.cold_items.evaluate": ("evaluate_new_items",),
    "evaluation.folds": ("evaluate_folds",),
    "evaluation.metrics.evaluate": ("evaluate",),
    "evaluation.metrics.ratings": ("evaluate_ratings",),
    "export.factors": ("export_factors",),
    "models.als.train": ("fold_in", "fold_in_items", "loss"),
    "models.blend.config": ("BlendConfig",),
    "models.bundle.io": ("load", "save"),
    "models.als.config": ("ALSConfig",),
    "models.explicit_als.config": ("ExplicitALSConfig",),
    "models.feature_als.config": ("FeatureALSConfig",),
    "models.linear.ease": ("EASEConfig",),
    "models.lmf.config": ("LMFConfig",),
    "models.linear.sparse": ("SparseLinearConfig",),
    "models.factor_model": ("FactorModel",),
    "models.fit": ("fit", "iterate"),
    "models.neighbours.config": ("ItemKNNConfig",),
    "models.pairwise.config": ("BPRConfig", "WARPConfig"),
    "models.profile.config": ("ItemProfileConfig",),
    "models.similarity.config": ("SimilarityConfig",),
    "models.baselines.popularity": ("fit_popularity",),
    "recommending.explain": ("explain",),
    "recommending.features.answers": (
        "items_for_features",
        "recommend_for_features",
        "suggest_features",
    ),
    "recommending.features.new_items": ("add_items",),
    "recommending.affinities": ("with_similarity",),
    "recommending.baskets": ("similar_to_set",),
    "recommending.batch": ("recommend", "similar"),
    "recommending.co_likes": ("why_similar",),
    "recommending.new_users": ("recommend_to_new",),
    "recommending.single": ("recommend_for_likes",),
    "recommending.pair_scores": ("scores",),
    "recommending.ratings": ("predict_ratings", "predict_ratings_for"),
    "recommending.rules.rules": ("Rules",),
    "recommending.similarity": ("similar_users",),
    "pipeline.job": ("Job",),
    "pipeline.run": ("run_job",),
    "tables": ("Table",),
    "tuning.search": ("search",),
    "tuning.options": ("Searching",),
    "tuning.strategies.search_space": ("Range", "expand"),
    "views.gallery": ("gallery",),
}

_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        from alsolike.usage_hints import did_you_mean  # noqa: PLC0415 - only where a name is misspelt

        hint = did_you_mean(name, __all__)
        raise AttributeError(f"module 'alsolike' has no attribute {name!r}.{hint}", name=name)
    import importlib  # noqa: PLC0415 - not before the command line can take signals

    value = getattr(importlib.import_module(f"alsolike.{_MODULE_OF[name]}"), name)
    globals()[name] = value  # for the next use; replaces a module of that name
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
