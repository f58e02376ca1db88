"""Model families: settings, training, fitted models, saving and loading."""

from alsolike.models.blend.family import BlendFamily
from alsolike.models.registry import FAMILIES

# Blends look their members up in the registry, which therefore cannot import them.
FAMILIES.append(BlendFamily())
