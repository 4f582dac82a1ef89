"""The hook for PowerShell, as far as it can be checked without one: by a grammar, its structure, and its patterns.

`credhelper.Tests.ps1` beside this file runs it where there is a PowerShell.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from credhelper.board import Entry
from credhelper.names import encode_name
from credhelper.shell_files import render
from tests.sandbox import PROJECT
from tests.shells.powershell import Script

HOOK = PROJECT / "shell" / "credhelper.ps1"
PESTER = Path(__file__).with_name("credhelper.Tests.ps1")

PUBLIC = {"credhelper", "credhelper_prompt"}
PUBLIC_VARIABLES = {"credhelper_segment", "credhelper_text", "lastexitcode"}

# The cmdlets of the hook, with those of their parameters that 5.1 has too.
CMDLETS = {
    "Get-Command": {"-Name", "-CommandType", "-TotalCount", "-ErrorAction"},
    "Get-Item": {"-LiteralPath", "-ErrorAction"},
    "Get-Variable": {"-Name", "-Scope", "-ValueOnly", "-ErrorAction"},
    "ForEach-Object": set(),
    "New-Object": {"-TypeName", "-ArgumentList"},
    "Register-ArgumentCompleter": {"-Native", "-CommandName", "-ScriptBlock"},
    "Remove-Item": {"-LiteralPath", "-ErrorAction"},
    "Select-Object": {"-Skip", "-First"},
    "Set-Item": {"-Path", "-Value"},
    "Sort-Object": {"-Property", "-Descending"},
    "Where-Object": set(),
    "Write-Error": {"-Message", "-ErrorAction"},
}
# What PowerShell sets by itself.
AUTOMATIC = {
    "_",
    "?",
    "args",
    "executioncontext",
    "false",
    "home",
    "host",
    "input",
    "matches",
    "myinvocation",
    "null",
    "true",
}
# What PowerShell heeds.
HEEDED = {"erroractionpreference", "psnativecommanduseerroractionpreference"}
# Comparisons of texts name their case; these compare numbers, null, or an enumeration's member.
OPERATORS = {
    *("-ceq", "-cne", "-clike", "-cnotlike", "-cmatch", "-cnotmatch", "-creplace", "-ccontains", "-cnotcontains"),
    *("-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-is", "-isnot", "-split", "-join"),
}


@pytest.fixture(scope="module")
def hook() -> Script:
    return Script(HOOK.read_text(encoding="ascii"))


@pytest.mark.parametrize("path", [HOOK, PESTER], ids=lambda path: path.name)
def test_parses_and_uses_what_5_1_knows(path: Path) -> None:
    assert Script(path.read_text(encoding="utf-8")).faults == []


@pytest.mark.parametrize(
    "text",
    [
        *("function f {", "if ($a { b }", "$a = 'open", "$( if"),
        *("$a = 'b\nc'",),
        *("$a ? 1 : 2", "$a ?? 1", "$a ??= 1", "${a}?.Length", "a && b", "a || b"),
        *("Invoke-Expression 'a'", "iex $a", "'a' | IEX", "Add-Type -TypeDefinition $a", ". $a"),
        *("& ([scriptblock]::Create($a))", "$ExecutionContext.InvokeCommand.InvokeScript($a)"),
    ],
)
def test_the_check_itself_sees_a_fault(text: str) -> None:
    assert Script(f"$x = 1\n{text}\n").faults != []


def test_names_its_command_once(hook: Script) -> None:
    lines = HOOK.read_text().splitlines()
    assert [line for line in lines if "@CREDHELPER@" in line] == ["$global:__credhelper_command = '@CREDHELPER@'"]


@pytest.mark.parametrize("path", ["/usr/bin/credhelper", '/a b/it\'s/$(x)/`y`/\u2019/"z"/credhelper'])
def test_takes_any_path_of_the_command_as_a_text(path: str) -> None:
    script = Script(render("powershell", path).decode())
    assert script.faults == []
    first = script.text(script.of("verbatim_string_characters")[0])
    assert re.sub("(['\u2018-\u201b])\\1", r"\1", first[1:-1]) == path


def test_takes_no_name_but_its_own(hook: Script) -> None:
    names = {name: function.name for name, function in hook.functions.items()}
    assert all(declared == f"global:{name}" for name, declared in names.items())
    assert {name for name in names if not name.startswith("__credhelper_")} == PUBLIC
    scoped = {hook.text(node).lower() for node in hook.of("variable") if ":" in hook.text(node)}
    places = {
        scope: {name for at, _, name in (text[1:].partition(":") for text in scoped) if at == scope}
        for scope in ("global", "env")
    }
    assert len(places["global"]) + len(places["env"]) == len(scoped)
    assert {name for name in places["global"] if not name.startswith("__credhelper_")} == PUBLIC_VARIABLES
    assert {name for name in places["env"] if not name.startswith("_credhelper_")} == {
        *("aws_profile", "aws_default_profile", "aws_config_file", "aws_access_key_id", "no_color"),
    }


def test_runs_only_cmdlets_of_5_1_and_spells_their_parameters_out(hook: Script) -> None:
    for name, parameters in hook.commands():
        if not name.startswith("&") and name not in hook.functions:
            assert set(parameters) <= CMDLETS[name], name


def test_compares_texts_by_their_case(hook: Script) -> None:
    assert {hook.text(node) for node in hook.of("comparison_operator")} <= OPERATORS
    for node in hook.of("comparison_expression"):
        texts = [part for part in node.children if re.match("['\"]", hook.text(part))]
        operators = {hook.text(part) for part in node.children if part.type == "comparison_operator"}
        if texts and operators & {"-eq", "-ne"}:
            assert hook.text(node) == "$Command.InvocationOperator -ne 'Unknown'"


def test_reads_no_variable_before_it_has_a_value(hook: Script) -> None:
    for name in hook.bodies:
        assert hook.unset(name, AUTOMATIC | HEEDED | {"original"}) == [], name


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("$a = 1; $a", []),
        ("foreach ($a in 1, 2) { $a }", []),
        ("$a", ["2: $a"]),
        ("$a += 1", ["2: $a"]),
        ("$a = $a + 1", ["2: $a"]),
        ("$a; $a = 1", ["2: $a"]),
        ("$b.Length", ["2: $b"]),
        ("$P; $p.Length; $env:X; $global:y; $null", []),
        ("$a = 1", ["2: $a is not read"]),
        ("$a = @{}; $a[$b] = 1", ["2: $b"]),
        ("$a, $b = 1, 2; $a + $b", []),
    ],
)
def test_the_check_itself_sees_an_unset_variable(body: str, fault: list[str]) -> None:
    script = Script(f"function global:f([string] $P) {{\n{body}\n}}\n")
    assert script.faults == []
    assert script.unset("f", AUTOMATIC) == fault


def test_starts_no_program_before_a_prompt_nor_when_it_is_read(hook: Script) -> None:
    at_prompt = hook.called("__credhelper_refresh") | hook.called("credhelper_prompt")
    at_start = (
        hook.called("__credhelper_start") | hook.called("__credhelper_wrap") | hook.called("__credhelper_global")
    )
    for commands in (at_prompt, at_start):
        assert not [name for name in commands if name.startswith("&")]
        assert not {"__credhelper_binary", "__credhelper_ensure"} & commands
    # What a program is started by: the command itself, and the functions of people to which ours hand on.
    started = {name for name, _ in hook.commands() if name.startswith("&")}
    assert started == {"&$binary", "&$Binary", "&(__credhelper_binary)", "&$original"}
    assert [name for name, body in hook.bodies.items() if "Diagnostics.Process]" in hook.text(body)] == [
        "__credhelper_ensure"
    ]


def test_takes_care_of_every_state_that_it_keeps(hook: Script) -> None:
    """Each global variable that is read has got a value when the file was read."""
    top = [node for node in hook.of("assignment_expression") if not _inside_function(node)]
    given = {hook.text(node.children[0]).lower() for node in top}
    used = {hook.text(node).lower() for node in hook.of("variable") if hook.text(node).lower().startswith("$global:")}
    assert used - given == {"$global:lastexitcode"}


def test_reads_lines_of_the_board_as_they_are_written(hook: Script) -> None:
    form = _pattern(hook, r"\A1 ")
    for entry in (
        Entry("corp", "active", "no", 1_800_000_000, 0),
        Entry("$(touch x) `y` é", "logged_out", "yes"),
        Entry("a+b", "expiring", "soon", 1_800_000_000, 1_800_000_000),
    ):
        found = form.fullmatch(entry.line().decode())
        assert found is not None
        assert found.groups() == (
            *(entry.state, str(entry.ends), entry.login, str(entry.shown), encode_name(entry.session)),
        )
    good = "1 active 1800000000 no 0 corp\n"
    for bad in (good[:-1], good + "\n", "2" + good[1:], good.replace("corp", "a b"), good.replace("no", "$(x)"), ""):
        assert form.fullmatch(bad) is None


def test_reads_the_default_profile_as_it_is_written(hook: Script) -> None:
    form = _pattern(hook, r"\A((?:[A-Za-z0-9._-]|\+[0-9A-F]{2})+)\n?")
    found = form.fullmatch(encode_name("a b$(x)é") + "\n")
    assert found is not None
    assert found[1] == encode_name("a b$(x)é")
    assert form.fullmatch("a b\n") is None


def test_has_only_patterns_that_are_whole(hook: Script) -> None:
    marks = ("\\A", "\\z", "\\s", "\\p", "\\+", "[^")
    patterns = [text for text in _texts(hook) if any(mark in text for mark in marks)]
    assert len(patterns) > 10
    for pattern in patterns:
        re.compile(pattern.replace(r"\z", r"\Z").replace("\\p", "p"))


def test_quotes_every_word_that_powershell_could_take_for_something_else(hook: Script) -> None:
    plain = _pattern(hook, r"\A-{0,2}[A-Za-z_]")
    for name in ("corp", "--profile", "reply-b.paques", "a/b"):
        assert plain.fullmatch(name)
    for name in (
        "a b",
        "$x",
        "$(x)",
        "`x",
        "a;b",
        "a,b",
        "@x",
        "007",
        "0x1",
        "1kb",
        "a'b",
        'a"b',
        "a\u2019b",
        "a|b",
        "",
        "é",
    ):
        assert not plain.fullmatch(name)


def test_runs_in_powershell_where_there_is_one() -> None:
    pwsh = shutil.which("pwsh")
    if pwsh is None:
        pytest.skip("other OS: no package of this system has PowerShell")
    wanted = "exit [int] -not (Get-Module -ListAvailable -Name Pester | Where-Object { $_.Version -ge '5.0' })"
    if subprocess.run([pwsh, "-NoProfile", "-Command", wanted], check=False).returncode:
        pytest.skip("other OS: this PowerShell has no Pester 5 (Install-Module Pester)")
    subprocess.run(
        [pwsh, "-NoProfile", "-Command", f"Invoke-Pester -Path '{PESTER}' -CI"], check=True, timeout=110, cwd=PROJECT
    )


def _texts(hook: Script) -> set[str]:
    return {hook.text(node)[1:-1].replace("''", "'") for node in hook.of("verbatim_string_characters")}


def _pattern(hook: Script, start: str) -> re.Pattern[str]:
    """The regular expression of the hook that begins so; .NET's `\\z` is Python's `\\Z`."""
    found = [text for text in _texts(hook) if text.startswith(start)]
    assert len(found) == 1
    return re.compile(found[0].replace(r"\z", r"\Z"), re.ASCII)


def _inside_function(node: object) -> bool:
    above = getattr(node, "parent", None)
    while above is not None:
        if above.type in {"function_statement", "script_block_expression"}:
            return True
        above = above.parent
    return False
