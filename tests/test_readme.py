"""README.md is run, block by block, as a newcomer would paste it.

In order, in one namespace and one temporary directory: a ``python`` block is executed (one with ``>>>`` as a doctest);
a ``console``, ``sh`` or ``bash`` block has its ``emimpute`` commands run by the command line, and they must succeed; a
``text`` block is what the block right before it printed. When outputs are compared, any run of spaces equals any other
and ``...`` stands for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

README = Path(__file__).parents[1] / "README.md"
LOOSELY = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PYTHON, SHELL, OUTPUT = {"python"}, {"console", "sh", "bash"}, {"text"}


@dataclass(frozen=True)
class Block:
    language: str
    line: int  # of its first line of content
    text: str
    follows: bool  # nothing but blank lines between it and the block before


def blocks_of(markdown: str) -> list[Block]:
    """The fenced blocks of a page."""
    blocks: list[Block] = []
    fence, language, start, between = "", "", 0, ""
    lines = markdown.splitlines()
    for number, line in enumerate(lines, 1):
        mark = re.match(r"\s{0,3}(`{3,}|~{3,})\s*(\w*)", line)
        if not fence and mark:
            fence, language, start = mark[1], mark[2], number + 1
        elif fence and line.strip() == fence:
            text = "".join(f"{each}\n" for each in lines[start - 1 : number - 1])
            blocks.append(Block(language, start, text, follows=bool(blocks) and not between.strip()))
            fence, between = "", ""
        elif not fence:
            between += line
    return blocks


def run_page(markdown: str, page: Path = README) -> int:
    """Run the blocks of a page in the working directory; how many ran. An AssertionError names the line."""
    script, ours = ModuleType("__main__"), sys.modules["__main__"]
    sys.modules["__main__"] = script  # where a class of the page is looked for when it is pickled
    try:
        return run_blocks(markdown, page, vars(script))
    finally:
        sys.modules["__main__"] = ours


def run_blocks(markdown: str, page: Path, namespace: dict[str, object]) -> int:
    printed: str | None = None
    ran = 0
    for block in blocks_of(markdown):
        try:
            if block.language in OUTPUT:
                assert block.follows, "a text block has to stand right after the block that prints it"
                assert printed is not None, "the block before this text block is not one that runs"
                assert_printed(block.text, printed)
                printed = None
            else:
                printed = run_block(block, namespace, page)
                ran += printed is not None
        except (Exception, SystemExit) as error:
            message = f"{page.name}, line {block.line} ({block.language} block): {type(error).__name__}: {error}"
            raise AssertionError(message) from error
    return ran


def run_block(block: Block, namespace: dict[str, object], page: Path) -> str | None:
    """What a block printed; None for a block that is not run."""
    if block.language in SHELL:
        return run_commands(block.text)
    if block.language not in PYTHON:
        return None
    if ">>> " in block.text:
        return run_doctest(block, namespace, page)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        # The empty lines before it make a traceback name the page's own lines.
        exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), namespace)  # noqa: S102 (that is the test)
    return out.getvalue()


def run_doctest(block: Block, namespace: dict[str, object], page: Path) -> str:
    test = doctest.DocTestParser().get_doctest(block.text, namespace, page.name, str(page), block.line - 1)
    complaints: list[str] = []
    doctest.DocTestRunner(optionflags=LOOSELY).run(test, out=complaints.append, clear_globs=False)
    assert not complaints, "".join(complaints)
    namespace.update(test.globs)
    return ""


def run_commands(text: str) -> str:
    """Run the ``emimpute`` commands among the lines; where a prompt shows that output follows, compare it."""
    printed = ""
    for command, expected in commands_of(text):
        said = run_command(command)
        if expected.strip():
            assert_printed(expected, said)
        printed += said
    return printed


def commands_of(text: str) -> list[tuple[str, str]]:
    """Pairs of an ``emimpute`` command and what is shown under it (only where commands have the prompt ``$``)."""
    text = re.sub(r"\\\n\s*", "", text)
    if not re.search(r"^\$ ", text, re.MULTILINE):
        return [(line, "") for line in text.splitlines() if line.startswith("emimpute ")]
    entries = (entry.partition("\n") for entry in re.split(r"^\$ ", text, flags=re.MULTILINE))
    return [(command, output) for command, _, output in entries if command.startswith("emimpute ")]


def run_command(command: str) -> str:
    from emimpute.interfaces.cli import main  # noqa: PLC0415 (a page without commands needs no command line)

    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            code = main(shlex.split(command, comments=True)[1:])
        except SystemExit as stop:  # argparse ends so
            code = stop.code
    assert not code, f"`{command}` exits with {code}"
    return out.getvalue()


def assert_printed(expected: str, printed: str) -> None:
    same = doctest.OutputChecker().check_output(expected, printed, LOOSELY)
    assert same, f"it says\n{expected}\nbut what is printed is\n{printed}"


def test_readme_runs(tmp_path, monkeypatch):
    """Every block of README.md runs, in order, and prints what the page says."""
    monkeypatch.chdir(tmp_path)
    assert README.is_file(), "README.md is missing"
    assert run_page(README.read_text(encoding="utf-8")) > 0, "README.md shows no code that runs"


FENCE = "```"
GOOD = f"""# A page
{FENCE}python
x = 2
print("x is",   x)
{FENCE}

{FENCE}text
x is ...
{FENCE}
{FENCE}python
>>> y = x + 1
>>> y
3
{FENCE}
{FENCE}python
assert y == 3
{FENCE}
{FENCE}
not run
{FENCE}
"""


def test_a_good_page_passes():
    """Names are shared from block to block, doctests included."""
    assert run_page(GOOD) == 3


@pytest.mark.parametrize(
    ("good", "bad", "line"),
    [
        ("x = 2", "x = 2 +", 3),
        ("x = 2", "x = unheard_of", 3),
        ("x = 2", "raise SystemExit(1)", 3),
        ("x is ...", "x is 3", 8),
        (f"{FENCE}\n\n{FENCE}text", f"{FENCE}\nIt prints\n{FENCE}text", 8),
        ("\n3\n", "\n4\n", 11),
        ("y == 3", "y == 4", 16),
    ],
)
def test_a_bad_page_fails_at_its_line(good, bad, line):
    """A wrong block is named by its line."""
    assert good in GOOD
    with pytest.raises(AssertionError, match=f"README.md, line {line} "):
        run_page(GOOD.replace(good, bad))


def test_commands_are_found():
    """A prompt separates commands from what they print; without one, each line that starts with the name is one."""
    assert commands_of("$ pip install emimpute\nDone\n$ emimpute describe a.csv\n3 columns\n") == [
        ("emimpute describe a.csv", "3 columns\n")
    ]
    assert commands_of("make demo\nemimpute impute a.csv \\\n    -o b.csv\n") == [
        ("emimpute impute a.csv -o b.csv", "")
    ]


def test_a_command_that_fails_is_named():
    """A command has to exit with 0."""
    page = f"{FENCE}console\n$ emimpute impute no-such-file.csv -o out.csv\n{FENCE}\n"
    with pytest.raises(AssertionError, match="exits with 2"):
        run_page(page)
