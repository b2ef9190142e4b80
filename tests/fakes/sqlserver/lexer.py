"""T-SQL tokens, read by the rules of Microsoft's reference: bracketed and quoted names, Unicode texts with doubled
quotes and line continuation, nested comments."""

from __future__ import annotations

from dataclasses import dataclass

from pysqlbridge.tds.result import QueryError

WORD, NAME, TEXT, NUMBER, BINARY, MARK = "word", "name", "text", "number", "binary", "mark"


@dataclass(frozen=True)
class Token:
    """One token. `value` is what it means: a name without brackets, a text without quotes, a word in capitals."""

    kind: str
    value: str
    raw: str


def syntax_error(near: str) -> QueryError:
    """What the server says of a batch that it cannot read."""
    return QueryError(f"Incorrect syntax near '{near}'.", number=102, severity=15)


def statements(sql: str) -> list[list[Token]]:
    """The statements of a batch. Ours end every statement with a semicolon, as the reference asks."""
    found: list[list[Token]] = [[]]
    for token in tokens(sql):
        if token.kind == MARK and token.value == ";":
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]


def tokens(sql: str) -> list[Token]:
    """All tokens of a batch."""
    found, at = [], 0
    while at < len(sql):
        if sql[at].isspace():
            at += 1
        elif sql.startswith("--", at):
            end = sql.find("\n", at)
            at = len(sql) if end < 0 else end
        elif sql.startswith("/*", at):
            at = _after_comment(sql, at)
        else:
            token, at = _token(sql, at)
            found.append(token)
    return found


def _token(sql: str, at: int) -> tuple[Token, int]:
    character = sql[at]
    if character == "[":
        return _quoted(sql, at, at + 1, "]", NAME)
    if character == '"':
        return _quoted(sql, at, at + 1, '"', NAME)
    if character == "'":
        return _quoted(sql, at, at + 1, "'", TEXT)
    if character in "Nn" and sql[at + 1 : at + 2] == "'":
        return _quoted(sql, at, at + 2, "'", TEXT)
    if character.isalnum() or character in "_@#":
        end = at
        while end < len(sql) and (sql[end].isalnum() or sql[end] in "_@#$"):
            end += 1
        raw = sql[at:end]
        if raw[:2].lower() == "0x":
            return Token(BINARY, raw[2:], raw), end
        return Token(NUMBER if raw.isdigit() else WORD, raw.upper(), raw), end
    if (double := sql[at : at + 2]) in ("::", ">=", "<=", "<>", "!="):
        return Token(MARK, double, double), at + 2
    return Token(MARK, character, character), at + 1


def _quoted(sql: str, start: int, at: int, close: str, kind: str) -> tuple[Token, int]:
    value = ""
    while True:
        end = sql.find(close, at)
        if end < 0:
            raise QueryError(f"Unclosed quotation mark after the character string '{sql[at:at + 20]}'.", number=105)
        value += sql[at:end]
        at = end + 1
        if sql[at : at + 1] != close:
            break
        value += close
        at += 1
    if kind == TEXT:
        value = value.replace("\\\r\n", "").replace("\\\n", "")
    return Token(kind, value, sql[start:at]), at


def _after_comment(sql: str, at: int) -> int:
    depth = 0
    while at < len(sql):
        if sql.startswith("/*", at):
            depth, at = depth + 1, at + 2
        elif sql.startswith("*/", at):
            depth, at = depth - 1, at + 2
            if depth == 0:
                return at
        else:
            at += 1
    raise QueryError("Missing end comment mark '*/'.", number=113)


class Reader:
    """Walks over the tokens of one statement."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._tokens)

    def peek(self) -> str:
        """The next word in capitals or mark; empty at the end or before a quoted token."""
        token = self._tokens[self._at] if not self.ended else None
        return token.value if token and token.kind in (WORD, MARK, NUMBER) else ""

    def take(self, *words: str) -> bool:
        """Whether these words come next; then they are passed."""
        upcoming = self._tokens[self._at : self._at + len(words)]
        found = tuple(token.value for token in upcoming if token.kind in (WORD, MARK, NUMBER))
        if found != words:
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        if not self.take(*words):
            raise self.error()

    def word(self) -> str:
        if not self.peek():
            raise self.error()
        self._at += 1
        return self._tokens[self._at - 1].value

    def name(self) -> str:
        """A name, bracketed or not."""
        return self._next(NAME, WORD, raw=True)

    def text(self) -> str:
        return self._next(TEXT)

    def number(self) -> int:
        return int(self._next(NUMBER))

    def rest_value(self) -> str:
        """A constant: a text or a number."""
        return self._next(TEXT, NUMBER)

    def words_until(self, *ends: str) -> str:
        """Words up to one of these, which stays."""
        found = []
        while not self.ended and self.peek() not in ends:
            found.append(self.word())
        return " ".join(found)

    def rest(self) -> list[Token]:
        found, self._at = self._tokens[self._at :], len(self._tokens)
        return found

    def error(self) -> QueryError:
        return syntax_error(self._tokens[self._at].raw if not self.ended else "the end")

    def _next(self, *kinds: str, raw: bool = False) -> str:
        token = self._tokens[self._at] if not self.ended else None
        if token is None or token.kind not in kinds:
            raise self.error()
        self._at += 1
        return token.raw if raw and token.kind == WORD else token.value
