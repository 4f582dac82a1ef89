"""`disable`, as a function from bytes to bytes: the file says all that is needed to undo `enable`.

Where nothing was changed in between the bytes are the same as before; where the user changed something, that stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from credhelper.aws.config import markers
from credhelper.aws.config.added_sections import without_unused_sections
from credhelper.aws.config.edit import Edit, Editor, Group
from credhelper.aws.config.helper_line import HelperLine
from credhelper.aws.config.reader import parse_config


def disable(data: bytes, names: Sequence[str] | None) -> Edit:
    """Put back what `enable` took out of force. Raises UsageError for a name that the config lacks."""
    return _Disable(parse_config(data)).run(names)


class _Disable(Editor):
    def run(self, names: Sequence[str] | None) -> Edit:
        for name in self.chosen(names):
            self.profile(name, asked_for=names is not None)
        data, removed, kept = without_unused_sections(self.render())
        self.edit.data = data
        self.edit.removed_sessions = removed
        self.edit.warnings += [f"[sso-session {name}] was changed since it was added, and stays" for name in kept]
        return self.edit

    def profile(self, name: str, *, asked_for: bool) -> None:
        groups = self.groups(name)
        if not any(group.touched for group in groups):
            if any(group.ours for group in groups):
                self.edit.refused.append(
                    (name, "its helper line was written by hand, so there is nothing to put back; change it by hand")
                )
            elif asked_for:
                self.edit.unchanged.append((name, "it is not enabled"))
            return
        known = {key for group in groups for key in (*group.values, *(old.key for old in group.old))}
        for group in groups:
            self.restore(name, group, known)
        self.edit.changed.append(name)

    def restore(self, name: str, group: Group, known: set[str]) -> None:
        live = {self.lines[at].key for at in (*group.live, *group.foreign, *group.ours)}
        self.drop(group.old, live)
        for line in group.old:
            if line.key not in live:
                self.out[line.at] = markers.in_force(self.lines[line.at].raw)
        for at in group.stray:
            self.out[at] = b""
        for mark, at in group.added:
            self.out[mark] = self.out[at] = b""
            helper = self.helper_line(self.lines[at])
            if helper is not None:
                self.keep_edits(name, group, at, helper, known | live)

    def keep_edits(self, name: str, group: Group, at: int, helper: HelperLine, known: set[str]) -> None:
        """What the user changed in the helper line itself, or deleted below it, goes into the `sso_*` lines."""
        values = markers.old_values(group.old)
        said = {"sso_account_id": helper.account_id, "sso_role_name": helper.role_name}
        if "sso_start_url" not in known or values.get("sso_session"):
            said = {"sso_session": helper.session} | said
        line = self.lines[at]
        new = b""
        for key, value in said.items():
            if key in values and values[key] != value and key not in group.values:
                last = max(old.at for old in group.old if old.key == key and not old.continuation)
                text = next(old.text for old in group.old if old.at == last)
                changed = markers.with_value(text, value).encode("utf-8", "surrogateescape")
                self.out[last] = changed + self.lines[last].eol
                self.edit.warnings.append(f"{name}: {key} is now {value}, as the helper line said")
            elif key not in known:
                text = f"{line.indent}{key} = {value}"
                new += text.encode("utf-8", "surrogateescape") + (line.eol or b"\n")
                self.edit.warnings.append(f"{name}: {key} was gone and is written anew")
        self.out[at] = new
