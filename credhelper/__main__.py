"""The command `credhelper`, also as `python -m credhelper`."""

import os
import signal
import sys


def main() -> None:
    """Run one command and exit with its code. Names are completed without the weight of the command line."""
    gone_by_ctrl_c = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if gone_by_ctrl_c:
        # Nothing has begun: Ctrl-C ends this without a traceback, as it does any other program.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.environ.get("_CREDHELPER_COMPLETE"):
        from credhelper import completion  # noqa: PLC0415 - at Tab only

        if completion.answer(os.environ):
            sys.exit(0)
    from credhelper import cli  # noqa: PLC0415 - spares completion its imports

    if gone_by_ctrl_c:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


if __name__ == "__main__":
    main()
