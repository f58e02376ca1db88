"""Handles signals: cleans up, prints one line and ends the process with the usual exit status.

The handler raises no exception, because it could surface in code that mistakes it: a failed query
of a database, a half-imported module, a callback that cannot raise. All files that alsolike writes
survive such an end, as they survive ``kill -9``.

This module is loaded before anything else and therefore imports little.
"""

import _thread
import os
import signal
import sys
import time

# The first word printed; the exit status is 128 more than the number of the signal.
_NAMES = {
    signal.SIGINT: "Interrupted.",
    signal.SIGTERM: "Terminated.",
    signal.SIGHUP: "Ended, since the terminal was closed.",
}

# The second sentence printed, by verb.
_RESUMED = "Finished trainings are saved; run the same command to resume."
_KEPT = {
    "run": _RESUMED,
    "demo": _RESUMED,
    "search": _RESUMED,
    "export": "Finished files are saved; run the same command to resume.",
    "compile": "Finished parts are saved; run the same command to resume.",
    "serve": "Likes and votes are saved.",
}
_ELSE = "No half-written file is left."

_GRACE = 0.5  # seconds that the main thread has to notice a signal; a long call may not look
_PATIENCE = 5.0  # seconds that tidying up may take

# The running verb, whether a server stops by itself, and the thread that ends the process.
_state: dict[str, object] = {"verb": "", "stopped": False}


def install() -> None:
    """Install handlers of SIGINT, SIGTERM and SIGHUP.

    Signals that the parent ignores stay ignored, as with nohup. Does nothing outside the main
    thread, where no handler can be set.
    """
    if signal.getsignal(signal.SIGTERM) is _leave or not _is_main():
        return
    _fill_streams()
    for number in _NAMES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    _thread.start_new_thread(_watch, (reading,))


def _is_main() -> bool:
    threading = sys.modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()


def _fill_streams() -> None:
    """Open /dev/null for closed standard streams (`>&-`).

    Else the next file opened would get their number, and printed lines would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def name_verb(verb: str) -> None:
    """Set the running verb, for the line printed on a signal."""
    _state["verb"] = verb


def stop_by_itself() -> None:
    """Leave SIGTERM from now on to a server that stops by itself."""
    _state["stopped"] = True


def done() -> None:
    """Ignore signals from now on: the work is done, and Python is about to exit."""
    if not _is_main():
        return
    for number in _NAMES:
        signal.signal(number, signal.SIG_IGN)


def last_words(number: int = signal.SIGINT) -> str:
    """Return the line printed if signal `number` ends a verb.

    Examples
    --------
    >>> last_words()
    'Interrupted. No half-written file is left.'
    """
    return f"{_NAMES[signal.Signals(number)]} {_KEPT.get(str(_state['verb']), _ELSE)}"


def _leave(number: int, _: object) -> None:
    """End the process once; a second signal waits for the first."""
    me = (_thread.get_ident(), object())
    first = _state.setdefault("leaver", me)  # atomic
    if first is me:
        _end(number)
    while isinstance(first, tuple) and first[0] != me[0]:
        time.sleep(1)  # another thread does it


def _watch(reading: int) -> None:
    """Handle a signal if the main thread does not, or does not finish."""
    while True:
        for number in os.read(reading, 16):
            if signal.getsignal(number) is not _leave:  # a server has handlers of its own
                continue
            _thread.start_new_thread(_end_late, (number,))
            time.sleep(_GRACE)
            _leave(number, None)


def _end_late(number: int) -> None:
    time.sleep(_GRACE + _PATIENCE)
    os._exit(128 + number)


def _end(number: int) -> None:
    """Clean up, print one line, exit."""
    _silence_threads()
    if _state["stopped"] and number == signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    try:
        _end_children()
    finally:
        try:
            _clean_up()
        finally:
            _say_and_exit(number)


def _say_and_exit(number: int) -> None:
    try:
        sys.stdout.flush()
    finally:
        try:
            os.write(2, f"{last_words(number)}\n".encode())
        finally:
            os._exit(128 + number)


def _silence_threads() -> None:
    """Silence errors of threads that lose a file or a database now."""
    sys.unraisablehook = lambda _: None
    threading = sys.modules.get("threading")
    if threading is not None:
        threading.excepthook = lambda _: None  # type: ignore[attr-defined]


def _end_children() -> None:
    """Kill the worker processes; their work is safe."""
    processes = sys.modules.get("multiprocessing.process")
    for child in processes.active_children() if processes is not None else ():
        child.kill()
    # A process that is just being started is only on the system's list; it would print that its
    # input ends early.
    try:
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - pathlib is not loaded yet
            with open(f"/proc/self/task/{thread}/children") as listed:  # noqa: PTH123 - likewise
                for number in listed.read().split():
                    os.kill(int(number), signal.SIGKILL)
    except OSError:  # not Linux, or it has ended meanwhile
        return


def _clean_up() -> None:
    cleanup = sys.modules.get("alsolike.storage.cleanup")
    if cleanup is not None:
        cleanup.undo_all()
