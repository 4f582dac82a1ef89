"""What lies in the AWS folders and behind the AWS endpoints."""

import logging

# Commands keep no log, and a warning that nobody handles would go to stderr.
logging.getLogger("credhelper").addHandler(logging.NullHandler())
