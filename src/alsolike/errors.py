"""The exceptions that alsolike raises, and nothing else.

::

    AlsolikeError
    ├── DataError        a table, file, frame or matrix cannot be used as it is    (ValueError)
    │   └── SplitError   too few users or items qualify for the split asked for
    ├── SettingError     a setting is out of range or two settings contradict      (ValueError)
    │   └── Unable       a model cannot do what is asked, whatever the settings
    ├── UnknownId        an id that the model or the table does not know           (LookupError)
    ├── FitError         the numbers give no finite answer                         (ArithmeticError)
    │   └── DegenerateError  all that was trained ranks next to nothing
    ├── BundleError      a model on disk is damaged, incomplete or too new         (ValueError)
    ├── CompilerError    the kernels cannot be compiled on this machine            (RuntimeError)
    ├── LedgerError      a run's ledger is damaged or belongs to another run       (ValueError)
    ├── OutOfMemory      there is not enough memory                                (MemoryError)
    └── WritingError     an output cannot be written where it was asked for        (OSError)

Every message says what was expected, what came, where, and what to do about it.
"""

from typing import Any


class AlsolikeError(Exception):
    """Root of all errors that alsolike raises on purpose."""


class DataError(AlsolikeError, ValueError):
    """A table, file, frame or matrix cannot be used as it is."""


class SplitError(DataError):
    """Too few users or items qualify for the split asked for."""


class SettingError(AlsolikeError, ValueError):
    """A setting is out of range, or two settings contradict each other."""


class Unable(SettingError):
    """A model of this kind cannot do what is asked; another one may."""


class UnknownId(AlsolikeError, LookupError):
    """An id that the model or the table does not know."""


class FitError(AlsolikeError, ArithmeticError):
    """The numbers given to the solver have no finite answer."""


class DegenerateError(FitError):
    """All that was trained ranks next to nothing: no model of it is fit to be used.

    Parameters
    ----------
    message : str
    found : alsolike.tuning.leaderboard.leaderboard.SearchResult or None
        All that the search found; its ``best`` is not to be used.
    """

    def __init__(self, message: str, found: Any = None) -> None:
        super().__init__(message)
        self.found = found


class BundleError(AlsolikeError, ValueError):
    """A model on disk is damaged, incomplete, or of a format this version does not know."""


class CompilerError(AlsolikeError, RuntimeError):
    """The kernels cannot be compiled on this machine."""


class LedgerError(AlsolikeError, ValueError):
    """A run's ledger is damaged, or belongs to other data or settings."""


class OutOfMemory(AlsolikeError, MemoryError):
    """There is not enough memory."""


class WritingError(AlsolikeError, OSError):
    """An output cannot be written where it was asked for."""
