"""The words of a command line that is still being typed, as a shell of POSIX's kind divides it."""

from __future__ import annotations

from dataclasses import dataclass

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,=-")
_BLANKS = frozenset(" \t\n")
# What a backslash takes its meaning from between double quotes.
_SPECIAL = frozenset('$`"\\')


@dataclass(frozen=True, slots=True)
class Line:
    """A line up to the cursor.

    Attributes:
        words: those before the one at the cursor, without their quotes.
        word: the one at the cursor without its quotes; empty after a blank.
        raw: the same as it was typed.
        quote: the kind of quote that is open at the cursor, or "".
        quote_at: where in `raw` that quote stands.
    """

    words: tuple[str, ...]
    word: str
    raw: str
    quote: str = ""
    quote_at: int = 0


def divide(text: str) -> Line:
    """Divide a line up to the cursor into words. Never raises; nothing is expanded."""
    words: list[str] = []
    word: list[str] | None = None
    start = quote_at = at = 0
    quote = ""
    while at < len(text):
        char = text[at]
        if word is None:
            if char in _BLANKS:
                at += 1
                continue
            word, start = [], at
        if quote:
            if char == quote:
                quote = ""
            elif quote == '"' and char == "\\" and text[at + 1 : at + 2] in _SPECIAL | {""}:
                at += 1
                word.append(text[at : at + 1])
            else:
                word.append(char)
        elif char in "'\"":
            quote, quote_at = char, at - start
        elif char == "\\":
            at += 1
            word.append(text[at : at + 1])
        elif char in _BLANKS:
            words.append("".join(word))
            word = None
        else:
            word.append(char)
        at += 1
    if word is None:
        return Line(tuple(words), "", "")
    return Line(tuple(words), "".join(word), text[start:], quote, quote_at if quote else 0)


def quoted(value: str, quote: str) -> str | None:
    """`value` as it goes on after an open quote of this kind (none: bare), without a quote at its end.

    None where bash cannot be told it between these quotes: it would take `!` for its history.
    """
    if quote == "'":
        return value.replace("'", "'\\''")
    if quote == '"':
        return None if "!" in value else "".join(f"\\{char}" if char in _SPECIAL else char for char in value)
    return "".join(char if char in _PLAIN or ord(char) >= 0x80 else f"\\{char}" for char in value)


def replaced_from(line: Line, breaks: str) -> int:
    """Where in the raw word that part begins which readline replaces by what is chosen.

    Args:
        breaks: the characters that end a word for readline (`COMP_WORDBREAKS`) unless they are quoted.
    """
    if line.quote:
        return line.quote_at + 1
    begin, at, quote = 0, 0, ""
    while at < len(line.raw):
        char = line.raw[at]
        if quote:
            quote = "" if char == quote else quote
        elif char == "\\":
            at += 1
        elif char in "'\"":
            quote = char
        elif char in breaks:
            begin = at + 1
        at += 1
    return begin
