"""The app and the service: models that other rooms made, asked over HTTP; nothing is trained."""
