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
            elif node.type == "string_literal" and node.start_point.row != node.end_point.row:
                reason = "a text that does not end in its line"  # the grammar also makes something of half a text
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

    @cached_property
    def bodies(self) -> dict[str, tree_sitter.Node]:
        """The functions by their names, and the blocks that stand in none by their lines."""
        found = {name: function.node for name, function in self.functions.items()}
        for block in self.of("script_block_expression"):
            if not any(outer.start_byte < block.start_byte < outer.end_byte for outer in found.values()):
                found[f"line {block.start_point.row + 1}"] = block
        return found

    def unset(self, body: str, known: set[str]) -> list[str]:
        """The local variables that are read before they have a value: errors under Set-StrictMode. And those that get
        one which nothing reads.

        Args:
            body: a function or block, as in `bodies`.
            known: variables that PowerShell itself sets or heeds, in lower case.
        """
        node = self.bodies[body]
        given = {
            self._plain(part)
            for parameter in self.of("script_parameter", node=node)
            for part in self.of("variable", node=parameter)
        }
        # A value exists from the end of its assignment on.
        births: dict[str, int] = {}
        read = set()
        for part in self.of("variable", node=node):
            variable, target = self._plain(part), self._target(part)
            if target is None:
                read.add(variable)
            elif variable not in births:
                births[variable] = target
        found = []
        for part in self.of("variable", node=node):
            variable = self._plain(part)
            if ":" in variable or variable in given | known:
                continue
            if self._target(part) is None and part.start_byte < births.get(variable, self.root.end_byte):
                found.append(f"{part.start_point.row + 1}: {self.text(part)}")
            elif variable not in read:
                found.append(f"{part.start_point.row + 1}: {self.text(part)} is not read")
        return found

    def _target(self, variable: tree_sitter.Node) -> int | None:
        """Where this variable has got its value, if this is the place that gives it one."""
        above = variable.parent
        if above is not None and above.type == "foreach_statement":
            return variable.end_byte
        inner = variable
        while above is not None and above.type != "assignment_expression":
            if above.type in {"member_access", "element_access", "argument_list"}:
                return None
            inner, above = above, above.parent
        if above is None or inner.type != "left_assignment_expression":
            return None
        by = inner.next_sibling
        return above.end_byte if by is not None and self.text(by) == "=" else None

    def _plain(self, variable: tree_sitter.Node) -> str:
        return self.text(variable).lstrip("$@").strip("{}").lower()
