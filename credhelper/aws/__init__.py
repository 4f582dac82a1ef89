"""What lies in the AWS folders and behind the AWS endpoints."""
