"""What a mutant may be: where in a C file something can be changed by one small step, and to what."""

import re

# What only we can do wrong is not mutated: without it nothing else happens.
ASSERTS = re.compile(r"\b(must|odd|static_assert|_Static_assert)\s*\(")
SYNC = re.compile(r"\bf(?:data)?sync\(\w[\w\->.]*\)")
CALL = re.compile(r"^\t+(?!return\b|if\b|while\b|for\b|switch\b|va_end\b)(?:\(void\))?\w+\(.*\);$")
ASSIGNMENT = re.compile(r"^\t+\*?\w[\w\->.\[\]]*(?:\(\w+\))? (?:=|\+=|-=|\|=|&=) .*;$")
EXIT = re.compile(r"^\t\t+(?:return\b.*|break|continue|goto \w+);$")
STEP = re.compile(r"^(\t+[^=]*?)(\+\+|--)")
NUMBER = re.compile(r"(?<![\w.])(\d+)(?=[uUlL]*\b(?![.\w]))")
CONSTANT = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
WORDS = {" == ": " != ", " != ": " == ", " && ": " || ", " || ": " && ", " < ": " <= ", " <= ": " < ",
         " > ": " >= ", " >= ": " > ", " + ": " - ", " - ": " + ", " += ": " -= ", " -= ": " += "}


def masked(text):
    """The text with comments, strings and preprocessor lines blanked, place by place."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|'
                       r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.S | re.M)
    return token.sub(lambda m: re.sub(r"[^\n]", "\x01", m[0]), text)


def closing(text, at):
    """Where the bracket at `at` is closed."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if not depth:
            return i
    return None


def _of_line(line, constants):
    """(operator, from, to, text) of one line, without what needs to see further."""
    for match in SYNC.finditer(line):
        yield "drop a sync", match.start(), match.end(), "0"
    indent = len(line) - len(line.lstrip("\t"))
    if CALL.match(line) and not SYNC.search(line):
        yield "drop a call", indent, len(line) - 1, ""
    if ASSIGNMENT.match(line):
        yield "drop an assignment", indent, len(line) - 1, ""
    if EXIT.match(line):
        yield "drop an exit", indent, len(line) - 1, ""
    for word, other in WORDS.items():
        for match in re.finditer(re.escape(word), line):
            yield "swap an operator", match.start(), match.end(), other
    for match in re.finditer(r"(?<=\()!(?=\w)|(?<= )!(?=\w)", line):
        yield "drop a negation", match.start(), match.end(), ""
    if match := STEP.match(line):
        yield "swap a step", match.start(2), match.end(2), {"++": "--", "--": "++"}[match[2]]
    for match in NUMBER.finditer(line):
        yield "change a number", match.start(), match.end(), str(int(match[1], 8 if match[1][0] == "0" else 10) + 1)
        if match[1] != "0":
            yield "change a number", match.start(), match.end(), "0"
    for match in re.finditer(r"\b(?:true|false)\b", line):
        yield "swap a truth", match.start(), match.end(), {"true": "false", "false": "true"}[match[0]]
    for match in CONSTANT.finditer(line):
        for other in constants.get(match[0].split("_")[0], ()):
            if other != match[0]:
                yield "swap a constant", match.start(), match.end(), other


def sites(text):
    """{line number from 0: [(operator, from, to, new text)]}, places counted in the whole text."""
    code, found, at, depth = masked(text), {}, 0, 0
    constants = {}
    for name in sorted(set(CONSTANT.findall(code))):
        constants.setdefault(name.split("_")[0], []).append(name)
    for number, line in enumerate(code.split("\n")):
        if depth > 0 and not ASSERTS.search(line):
            here = [(what, at + a, at + b, new) for what, a, b, new in _of_line(line, constants)]
            for match in re.finditer(r"\b(?:if|while) \(", line):
                end = closing(code, at + match.end() - 1)
                if end:
                    a, b = at + match.end(), end
                    here.append(("negate a condition", a, b, f"!({text[a:b]})"))
            if here:
                found[number] = here
        depth += line.count("{") - line.count("}")
        at += len(line) + 1
    return found


def pick(dice, text):
    """One mutant of the text: (operator, line from 1, the new text). Each line that can be changed is as likely."""
    found = sites(text)
    line = dice.choice(sorted(found))
    what = dice.choice(sorted({s[0] for s in found[line]}))
    _, a, b, new = dice.choice([s for s in found[line] if s[0] == what])
    return what, line + 1, text[:a] + new + text[b:]
