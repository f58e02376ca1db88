"""``python -m alsolike`` is the command line."""

from alsolike.cli import main

if __name__ == "__main__":
    main()
