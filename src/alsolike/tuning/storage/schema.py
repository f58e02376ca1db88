"""Defines the tables of a ledger.

::

    facts           name, value                                   data and settings of the search
    configurations  id, settings, sweeps, bars, state, seed,      one row per training
                    seconds, worker, heartbeat, attempts, error
    points          configuration, sweep, figures, seconds,       one row per scored point
                    worker
    bests           configuration, judge, sweep, answers          its best point by each objective,
                                                                  with the score of each user

Settings, facts, figures and bars (thresholds of pruning) are JSON; answers (scores of users) are
zlib over float64. UNIQUE constraints keep configurations and points from being recorded twice.
SQLite writes the file through its own journal, not through `alsolike.storage.atomic`.
"""

from alsolike.errors import LedgerError
from alsolike.storage.sqlite import DatabaseKind

_TABLES = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE configurations (
        id INTEGER PRIMARY KEY,
        settings TEXT NOT NULL UNIQUE,
        sweeps INTEGER NOT NULL DEFAULT 0,
        bars TEXT NOT NULL DEFAULT '{}',
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN
            ('waiting', 'running', 'done', 'stopped', 'pruned', 'failed', 'skipped')),
        seed INTEGER,
        seconds REAL,
        worker TEXT,
        heartbeat REAL,
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        CHECK ((error IS NOT NULL) = (state = 'failed')),
        CHECK ((worker IS NOT NULL) = (state = 'running'))
    )""",
    """CREATE TABLE points (
        configuration INTEGER NOT NULL REFERENCES configurations (id),
        sweep INTEGER NOT NULL,
        figures TEXT NOT NULL,
        seconds REAL,
        worker TEXT NOT NULL,
        PRIMARY KEY (configuration, sweep)
    )""",
    """CREATE TABLE bests (
        configuration INTEGER NOT NULL REFERENCES configurations (id),
        judge TEXT NOT NULL,
        sweep INTEGER NOT NULL,
        answers BLOB NOT NULL,
        PRIMARY KEY (configuration, judge)
    )""",
)

LEDGER = DatabaseKind(
    name="a ledger of alsolike",
    application=0x616C736F,
    version=2,
    schema=_TABLES,
    way_out="Delete it to start the search again.",
    error=LedgerError,
    patience=60,
)
