# SPDX-License-Identifier: MIT
"""Test Anything Protocol for the end-to-end tests: one function a case, its docstring the name.

A case passes when it returns; any exception fails it and its words are printed.  Nothing skips.
"""
import signal
import sys
import time
import traceback

CASE_SECONDS = 240

_cases = []


def case(function):
    """Registers a case; its docstring's first line is the sentence that must be true."""
    _cases.append(function)
    return function


class CaseTimeout(Exception):
    """A case ran longer than CASE_SECONDS."""


def _alarm(_signal, _frame):
    raise CaseTimeout(f'not finished after {CASE_SECONDS} s')


def main():
    """Runs the cases named on the command line (parts of function names), or all."""
    wanted = [c for c in _cases if len(sys.argv) == 1 or any(a in c.__name__ for a in sys.argv[1:])]
    if not wanted:
        sys.exit('no case has such a name')
    print(f'1..{len(wanted)}', flush=True)
    signal.signal(signal.SIGALRM, _alarm)
    failed = 0
    for number, function in enumerate(wanted, 1):
        name = (function.__doc__ or function.__name__).strip().splitlines()[0]
        started = time.monotonic()
        signal.alarm(CASE_SECONDS)
        try:
            function()
            print(f'ok {number} - {name} # {time.monotonic() - started:.1f} s', flush=True)
        except Exception:  # noqa: BLE001 - every failure of a case is reported alike
            failed += 1
            print(f'not ok {number} - {name}')
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
            sys.stdout.flush()
        finally:
            signal.alarm(0)
    sys.exit(1 if failed else 0)
