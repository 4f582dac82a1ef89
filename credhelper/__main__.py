"""`python -m credhelper`."""

from credhelper.cli import main

if __name__ == "__main__":
    main()
