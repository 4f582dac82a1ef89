"""Each command of ours that the docs name exists, with these options and about these arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from credhelper.cli import VERBS, group
from tests.sandbox import PROJECT

PAGES = sorted(path.relative_to(PROJECT) for folder in (PROJECT, PROJECT / "docs") for path in folder.glob("*.md"))
_FENCE = re.compile(r"^ *```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
# Our name as a word of its own, and the words behind it, up to what ends a command in a shell or in prose.
_CALL = re.compile(r"(?<![\w./@-])credhelper(?P<words>(?: (?:'[^']*'|[^\s'\"|;&()`<>#─►]+))+)")
_COMMENT = re.compile(r"(?<!\S)#.*")
_ROW = re.compile(r"^\| `(?P<usage>[a-z][^`]*)`(?: `(?P<options>--[^`]+)`)? \| (?!\|)", re.MULTILINE)
_END = re.compile(r"[,:]\s")
_WORD = re.compile(r"'[^']*'|\S+")


def calls(text: str) -> Iterator[str]:
    """What stands behind our name in a page's code, and spans such as `enable --all` that leave our name out."""
    for block in _FENCE.finditer(text):
        for call in _CALL.finditer(_COMMENT.sub("", block["text"])):
            yield call["words"]
    for span in _SPAN.findall(_FENCE.sub("", text).replace("\\|", "|")):
        found = list(_CALL.finditer(span))
        for call in found:
            yield call["words"]
        words = span.split()
        if not found and len(words) > 1 and words[0] in VERBS and "/" not in words[0]:
            yield span


def complaint(call: str) -> str | None:
    """What is wrong with a call; None where nothing is."""
    words = [word.strip("'").rstrip(",.:") for word in _WORD.findall(_END.split(call)[0])]
    name = words.pop(0)
    if name == "…":
        return None
    context = click.Context(group)
    command: click.Command | None
    if name.startswith("-"):
        return None if name in _options(group, context) else f"no option {name}"
    command = group.get_command(context, name)
    if command is None:
        return f"no command {name}"
    if "|" in call:  # several words for one place, as in `hook bash|zsh`
        words = [word.split("|", maxsplit=1)[0] for word in words]
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        words[0] = words[0].strip("[]")
        inner = command.get_command(context, words[0])
        if inner is None and not (command.invoke_without_command and command.params):
            return f"no command {name} {words[0]}"
        if inner is not None:
            command, name = inner, f"{name} {words.pop(0)}"
    return _complaint_of_rest(command, name, words, context)


def _complaint_of_rest(command: click.Command, name: str, words: list[str], context: click.Context) -> str | None:
    options = _options(command, context)
    arguments = 0
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            arguments += word not in {"…", "..."}
            continue
        option = options.get(word.partition("=")[0])
        if option is None:
            return f"{name} has no option {word}"
        takes_value = not option.is_flag and not option.count
        if takes_value and "=" not in word and not (words and words.pop(0)):
            return f"{name} {word} needs a value"
        if not takes_value and "=" in word:
            return f"{name} {word} takes no value"
    room = [param.nargs for param in command.params if isinstance(param, click.Argument)]
    if -1 not in room and arguments > sum(room):
        return f"{name} takes {sum(room)} arguments"
    return None


def _options(command: click.Command, context: click.Context) -> dict[str, click.Option]:
    return {
        name: param
        for param in command.get_params(context)
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_a_page_names_exists(page: Path) -> None:
    found = [(call, complaint(call)) for call in calls((PROJECT / page).read_text(encoding="utf-8"))]
    assert [f"`{call.strip()}`: {wrong}" for call, wrong in found if wrong] == []


def test_the_pages_name_commands() -> None:
    counts = {str(page): len(list(calls((PROJECT / page).read_text(encoding="utf-8")))) for page in PAGES}
    assert counts["README.md"] > 20, counts
    assert counts["docs/shells.md"] > 10, counts


def test_the_table_of_commands_is_whole() -> None:
    """In the README: every verb, in the order of the help page, and every option of it and of what it holds."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8").partition("## Commands\n")[2].partition("\n## ")[0]
    rows = [(row["usage"].replace("\\|", "|"), (row["options"] or "")) for row in _ROW.finditer(text)]
    named: dict[str, set[str]] = {}
    for usage, options in rows:
        named.setdefault(usage.split()[0], set()).update(re.findall(r"--[a-z-]+", options))
    assert list(named) == list(VERBS)
    context = click.Context(group)
    for verb, options in named.items():
        command = group.get_command(context, verb)
        assert command is not None
        commands = [command]
        if isinstance(command, click.Group):
            inner = [command.get_command(context, name) for name in command.list_commands(context)]
            commands += [each for each in inner if each is not None]
        known = [option for each in commands for option in _options(each, context).values() if not option.hidden]
        assert options == {max(option.opts, key=len) for option in known} - {"--help"}, verb
    for usage, options in rows:
        # Where one row stands for several commands, an option is that of one of them.
        call = re.sub(r"[][]", "", usage) + (f" {options}" if "|" not in usage else "")
        assert complaint(call) is None, call


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`credhelper lgoin`", "no command lgoin"),
        ("`credhelper login --devise`", "login has no option --devise"),
        ("`credhelper login one two`", "login takes 1 arguments"),
        ("`credhelper daemon begin`", "no command daemon begin"),
        ("`credhelper daemon status --yes`", "daemon status has no option --yes"),
        ("`credhelper demo --lifetime`", "demo --lifetime needs a value"),
        ("`credhelper status --json=yes`", "status --json=yes takes no value"),
        ("`credhelper --verbose`", "no option --verbose"),
        ("`enable --everything`", "enable has no option --everything"),
        ('```sh\neval "$(credhelper hok bash)"\n```\n', "no command hok"),
        ("```\ncredhelper: session corp has ended. Run: credhelper log-in corp\n```\n", "no command log-in"),
        ("```sh\ntrue && credhelper login NAME --no-browser --forced | cat\n```\n", "login has no option --forced"),
    ],
)
def test_what_does_not_exist_is_found(text: str, wrong: str) -> None:
    assert [complaint(call) for call in calls(text)] == [wrong]


@pytest.mark.parametrize(
    "text",
    [
        "`credhelper`",
        "`~/.local/share/credhelper/credential-process corp --not ours`",
        "`python -m credhelper.standin --port 1`",
        "credhelper lgoin, outside of code",
        "`credhelper login [NAME]` and `credhelper use -`",
        "`credhelper logout a b c …`",
        "`hook bash|zsh --install`",
        "`credhelper demo --lifetime 5`",
        "```\ncredhelper: session corp: AWS has ended the session. Run: credhelper login corp\n```\n",
        "```sh\ncredhelper status   # credhelper nothing\n```\n",
    ],
)
def test_what_exists_passes(text: str) -> None:
    assert [wrong for call in calls(text) if (wrong := complaint(call))] == []
