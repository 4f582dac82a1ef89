"""Logging in to IAM Identity Center: PKCE in the browser, or a device code."""
