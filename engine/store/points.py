"""Named places where a test may kill the process, to prove that half a verb is never left behind."""

import os
import signal
from collections import Counter

KILL_AT = "SANWEI_KILL_AT"

_passed: Counter[str] = Counter()


def reached(name: str) -> None:
    """Die here, without any clean-up, if the environment names this point; else do nothing.

    ``SANWEI_KILL_AT=before_commit:3`` dies at the third time. Points: ``after_lock``, ``before_commit``,
    ``after_commit`` (store), ``after_send`` and ``after_deliver`` (worker).
    """
    wanted, _, times = os.environ.get(KILL_AT, "").partition(":")
    if wanted == name:
        _passed[name] += 1
        if _passed[name] >= int(times or 1):
            os.kill(os.getpid(), signal.SIGKILL)
