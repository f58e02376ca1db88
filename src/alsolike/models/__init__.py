"""Model families: settings, training, fitted models, saving and loading."""
