"""Defines all exceptions that alsolike raises on purpose.

::

    AlsolikeError
    ├── DataError               a table, file, frame or matrix cannot be used as it is (ValueError)
    │   └── SplitError          too few users or items qualify for the split asked for
    ├── SettingError            a setting is out of range or two settings contradict   (ValueError)
    │   ├── Unable              a model cannot do what is asked, whatever the settings
    │   └── ParameterError      the query of a request cannot be answered as it is
    │       ├── UnknownParameter    the address does not take this parameter
    │       └── RepeatedParameter   a parameter with one value is given twice
    ├── UnknownId               an id that the model or the table does not know       (LookupError)
    ├── UnknownModel            a request names a model that is not served            (LookupError)
    ├── FitError                the numbers give no finite answer                 (ArithmeticError)
    │   └── DegenerateError     every trained model ranks next to nothing
    ├── BundleError             a model on disk is damaged, incomplete or too new      (ValueError)
    ├── CompilerError           the kernels cannot be compiled on this machine       (RuntimeError)
    ├── LedgerError             a run's ledger is damaged or belongs to another run    (ValueError)
    ├── LeaseLost               another worker has taken over this worker's training
    ├── OutOfMemory             there is not enough memory                            (MemoryError)
    ├── WritingError            an output cannot be written where it was asked for        (OSError)
    ├── Refusal                 a request is refused before it reaches a route
    ├── Forbidden               a client may not make this request
    ├── Starting                the service has not started yet
    └── InTrainingData          a like cannot be taken back: the model was trained on it

Every message says what was expected, what came, where, and what to do about it. An exception that
one module raises and catches for its own control flow stays there and does not derive from these.
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


class ParameterError(SettingError):
    """The query of a request cannot be answered as it is.

    Parameters
    ----------
    message : str
    field : str
        The name of the parameter.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class UnknownParameter(ParameterError):
    """A query names a parameter that its address does not take."""


class RepeatedParameter(ParameterError):
    """A query gives a parameter twice that has one value."""


class UnknownId(AlsolikeError, LookupError):
    """An id that the model or the table does not know."""


class UnknownModel(AlsolikeError, LookupError):
    """A request names a model that is not served here."""


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


class LeaseLost(AlsolikeError):
    """Another worker has taken over this worker's training."""


class OutOfMemory(AlsolikeError, MemoryError):
    """There is not enough memory."""


class WritingError(AlsolikeError, OSError):
    """An output cannot be written where it was asked for."""


class Refusal(AlsolikeError):
    """A request is refused before it reaches a route.

    Parameters
    ----------
    status : int
        Of HTTP.
    code : str
        A word for programs; also the reason in `/metrics`.
    message : str
        What was expected, what came, what to do; nothing of the request's own text.
    headers : mapping of str to str or None
        Further header fields of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


class Forbidden(AlsolikeError):
    """A client may not make this request, or the service is not set up for it."""


class Starting(AlsolikeError):
    """The service has not started yet."""


class InTrainingData(AlsolikeError):
    """A like cannot be taken back here, since the model was trained on it."""
