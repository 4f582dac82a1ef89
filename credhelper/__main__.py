"""The command `credhelper`, also as `python -m credhelper`."""

import os
import sys


def main() -> None:
    """Run one command and exit with its code. Names are completed without the weight of the command line."""
    if os.environ.get("_CREDHELPER_COMPLETE"):
        from credhelper import completion  # noqa: PLC0415 - at Tab only

        if completion.answer(os.environ):
            sys.exit(0)
    from credhelper import cli  # noqa: PLC0415 - spares completion its imports

    cli.main()


if __name__ == "__main__":
    main()
