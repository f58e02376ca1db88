"""scikit-learn estimators: matrix factorization, and a model of any family."""

from alsolike.usage_hints import way_to_install

try:
    from sklearn.utils import Tags as _Tags  # noqa: F401 - since 1.6
except ImportError as error:
    raise ImportError(
        f"alsolike.sklearn needs scikit-learn 1.6 or newer: {way_to_install('scikit-learn>=1.6')}"
    ) from error

from alsolike.sklearn.als import ALSRecommender
from alsolike.sklearn.family import FamilyRecommender

__all__ = ["ALSRecommender", "FamilyRecommender"]
