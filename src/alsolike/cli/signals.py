"""How a signal ends the command line: at any moment, with one line and the status that shells know.

An exception raised out of a signal's handler may surface in code that takes it for something else:
a database that reports a failed query, a module that is half imported, a callback that cannot
raise. So the handler raises none. It undoes what must not stay, says one line and ends the process;
all that alsolike writes bears such an end, as it bears ``kill -9``.

This module is loaded before anything else and therefore imports little.
"""

import _thread
import os
import signal
import sys
import time

# How each is called, and the status of a process that it ends is 128 more than its number.
_NAMES = {
    signal.SIGINT: "Interrupted.",
    signal.SIGTERM: "Terminated.",
    signal.SIGHUP: "Ended, since the terminal was closed.",
}

# What is kept, by the verb that was at work.
_RESUMED = "Finished trainings are saved; give the same command again to resume."
_KEPT = {
    "run": _RESUMED,
    "demo": _RESUMED,
    "search": _RESUMED,
    "export": "What was written is kept; give the same command again to go on.",
    "compile": "What was compiled is kept; give the same command again to go on.",
    "serve": "Likes and votes are saved.",
}
_ELSE = "No half-written file is left."

_GRACE = 0.5  # seconds that the main thread has to notice a signal; a long call may not look
_PATIENCE = 5.0  # seconds that tidying up may take

# Which verb is at work, whether a server stops by itself, and who is ending the process.
_state: dict[str, object] = {"verb": "", "stopped": False}


def install() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end this process in good order from now on.

    What the parent has switched off stays so: nohup does it with SIGHUP. In a thread beside the
    main one nothing is done: no handler can be set there, and the process is somebody else's.
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
    """Put nothing in the place of standard streams that are closed, as `>&-` does it.

    Else the next file that is opened would have their number, and what is said would go into it.
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
    """Say which verb is at work, for the words at its end."""
    _state["verb"] = verb


def stop_by_itself() -> None:
    """Leave SIGTERM from now on to a server that stops in its own good order, and ends by it."""
    _state["stopped"] = True


def done() -> None:
    """Take no signal from now on: the work is done, and Python is about to end by itself."""
    if not _is_main():
        return
    for number in _NAMES:
        signal.signal(number, signal.SIG_IGN)


def last_words(number: int = signal.SIGINT) -> str:
    """Return the line that is said where signal `number` ends a verb.

    Examples
    --------
    >>> last_words()
    'Interrupted. No half-written file is left.'
    """
    return f"{_NAMES[signal.Signals(number)]} {_KEPT.get(str(_state['verb']), _ELSE)}"


def _leave(number: int, _: object) -> None:
    """End the process, once; a second signal finds that it is under way."""
    me = (_thread.get_ident(), object())
    first = _state.setdefault("leaver", me)  # in one step, whatever comes between
    if first is me:
        _end(number)
    while isinstance(first, tuple) and first[0] != me[0]:
        time.sleep(1)  # another thread does it


def _watch(reading: int) -> None:
    """Handle a signal in place of a main thread that does not come to it, or not to its end."""
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
    """Undo what must not stay, say one line, end."""
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
    """Have nothing printed by threads that lose a file or a database now."""
    sys.unraisablehook = lambda _: None
    threading = sys.modules.get("threading")
    if threading is not None:
        threading.excepthook = lambda _: None  # type: ignore[attr-defined]


def _end_children() -> None:
    """Kill the processes that this one has started to work for it; they bear it."""
    processes = sys.modules.get("multiprocessing.process")
    for child in processes.active_children() if processes is not None else ():
        child.kill()
    # One that is just being started is on no list but the system's. It would complain that what it
    # was to be told breaks off.
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
