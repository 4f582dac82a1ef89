"""What lies in the AWS folders and behind the AWS endpoints."""

import logging

# Commands keep no log. Without any handler a warning would go to stderr, which is an AWS client's where the helper
# serves directly.
logging.getLogger("credhelper").addHandler(logging.NullHandler())
