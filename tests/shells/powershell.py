"""Reads PowerShell by a grammar: what the tests can hold a script to without a PowerShell to run it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import tree_sitter
import tree_sitter_pwsh

_LANGUAGE = tree_sitter.Language(tree_sitter_pwsh.language())

# What Windows PowerShell 5.1 does not read, by the grammar's names.
_NEWER_SYNTAX = {
    "ternary_expression": "the ternary operator",
    "null_coalesce_expression": "??",
    "pipeline_chain_tail": "&& or ||",
    "??=": "??=",
    "?.": "?.",
    "?[": "?[",
}
_RUNS_TEXT = {"invoke-expression", "iex", "add-type", "invoke-command", "icm"}


@dataclass(frozen=True)
class Function:
    """A function of a script: its name as it is declared, its parameters and body."""

    name: str
    node: tree_sitter.Node


class Script:
    """A parsed script."""

    def __init__(self, text: str) -> None:
        self._source = text.encode()
        self.root = tree_sitter.Parser(_LANGUAGE).parse(self._source).root_node

    def text(self, node: tree_sitter.Node) -> str:
        return self._source[node.start_byte : node.end_byte].decode()

    def walk(self, node: tree_sitter.Node | None = None) -> Iterator[tree_sitter.Node]:
        """The node and all below it, in the order of the text."""
        waiting = [node or self.root]
        while waiting:
            found = waiting.pop()
            yield found
            waiting.extend(reversed(found.children))

    def of(self, *kinds: str, node: tree_sitter.Node | None = None) -> list[tree_sitter.Node]:
        return [found for found in self.walk(node) if found.type in kinds]

    # --- faults ---------------------------------------------------------------------------------------------------

    @property
    def faults(self) -> list[str]:
        """What no PowerShell reads, what 5.1 does not, and what runs a text as code; each with its line."""
        found = []
        for node in self.walk():
            reason = None
            if node.is_error or node.is_missing:
                reason = "a syntax error"
            elif node.type in _NEWER_SYNTAX:
                reason = _NEWER_SYNTAX[node.type]
            elif node.type == "command_name" and self.text(node).lower() in _RUNS_TEXT:
                reason = self.text(node)
            elif node.type == "command_invocation_operator" and self.text(node) == ".":
                reason = "a dot-sourced script"
            elif node.type == "member_name" and self.text(node).lower() in {
                "invokescript",
                "create",
                "newscriptblock",
            }:
                reason = f"the method {self.text(node)}"
            if reason is not None:
                found.append(f"{node.start_point.row + 1}: {reason}")
        return found

    # --- what it is made of ---------------------------------------------------------------------------------------

    @cached_property
    def functions(self) -> dict[str, Function]:
        """All functions by their names, without a scope."""
        found = {}
        for node in self.of("function_statement"):
            name = self.text(next(child for child in node.children if child.type == "function_name"))
            found[name.rpartition(":")[2]] = Function(name, node)
        return found

    def commands(self, node: tree_sitter.Node | None = None) -> Iterator[tuple[str, list[str]]]:
        """Each command below a node: its name (what is called by `&` begins with that) and its parameters."""
        for command in self.of("command", node=node):
            operator = "".join(
                self.text(part) for part in command.children if part.type.endswith("invocation_operator")
            )
            name = next(part for part in command.children if part.type in {"command_name", "command_name_expr"})
            elements = next((part for part in command.children if part.type == "command_elements"), None)
            parameters = (
                [] if elements is None else [part for part in elements.children if part.type == "command_parameter"]
            )
            yield operator + self.text(name), [self.text(part) for part in parameters]

    def called(self, name: str) -> set[str]:
        """All commands that a function runs, by itself or through functions of this script."""
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            function = self.functions.get(waiting.pop())
            if function is not None:
                new = {command for command, _ in self.commands(function.node)} - seen
                seen |= new
                waiting.extend(new)
        return seen

    def unset(self, name: str, known: set[str]) -> list[str]:
        """The local variables that a function reads before it has given them a value: errors under Set-StrictMode.

        Args:
            known: variables that PowerShell itself sets, in lower case.
        """
        node = self.functions[name].node
        given = {
            self._plain(part)
            for part in self.of("script_parameter", node=node)
            for part in self.of("variable", node=part)
        }
        # A value exists from the end of its assignment on.
        births: dict[str, int] = {}
        for statement in self.of("assignment_expression", "foreach_statement", node=node):
            left = next(
                part for part in statement.children if part.type in {"left_assignment_expression", "variable"}
            )
            by = next(part for part in statement.children if part.type in {"assignment_operator", "variable"})
            if self.text(by) != "+=" and not self.of("member_access", "element_access", node=left):
                for part in self.of("variable", node=left):
                    end = part.end_byte if statement.type == "foreach_statement" else statement.end_byte
                    births[self._plain(part)] = min(end, births.get(self._plain(part), end))
        found = []
        for part in self.of("variable", node=node):
            variable = self._plain(part)
            if ":" in variable or variable in given | known:
                continue
            born = births.get(variable)
            left_side = part.parent is not None and self._is_target(part)
            if not left_side and (born is None or part.start_byte < born):
                found.append(f"{part.start_point.row + 1}: {self.text(part)}")
        return found

    def _is_target(self, node: tree_sitter.Node) -> bool:
        above = node.parent
        if above is not None and above.type == "foreach_statement":
            return True
        while above is not None and above.type != "assignment_expression":
            if above.type == "left_assignment_expression":
                by = above.next_sibling
                return by is not None and self.text(by) != "+="
            above = above.parent
        return False

    def _plain(self, variable: tree_sitter.Node) -> str:
        return self.text(variable).lstrip("$@").strip("{}").lower()
