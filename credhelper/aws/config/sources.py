"""Whose credentials a profile ends up with: its own, or those of the profile at the end of its `source_profile`s.

Source: botocore's `AssumeRoleProvider`, which comes before all that a profile holds itself.
"""

from __future__ import annotations

from collections.abc import Mapping


def source_of(name: str, profiles: Mapping[str, Mapping[str, str]]) -> str | None:
    """The name of the profile whose own credentials or session serve the profile `name`.

    Args:
        profiles: keys and values of each profile, of the config and the credentials file together.

    None where no profile's do: one that assumes a role from the machine's credentials (`credential_source`) or with
    a web identity, one whose sources go in a circle or lead to a profile that is not there.
    """
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        values = profiles[name]
        if not values.get("role_arn"):
            return name
        if values.get("web_identity_token_file"):
            return None
        source = values.get("source_profile")
        if source is None or source == name:
            return name if source else None  # from itself: with keys of its own
        if profiles.get(source, {}).get("aws_access_key_id"):
            return source
        name = source
    return None
