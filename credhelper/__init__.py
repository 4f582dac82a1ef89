"""credhelper keeps people who work on AWS from the command line logged in."""

__version__ = "0.1.0"
