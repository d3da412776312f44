"""What the test of the book takes for a command, and for what a command shows."""

from pathlib import Path

import pytest
from page import BadPage, blocks, matches


@pytest.mark.parametrize(
    ("expected", "actual", "is_match"),
    [
        (["a  b"], "a b\n", True),
        (["a … c"], "a bb c\n", True),
        (["a … c"], "a\nc\n", False),
        (["…", "end"], "one\n\ntwo\nend\n", True),
        (["…", "end"], "end\n", True),
        (["end", "…"], "end\nmore\n", True),
        (["end"], "end\nmore\n", False),
        (["a.c"], "abc\n", False),
        ([".*"], "anything\n", False),
        (["…"], "", True),
    ],
)
def test_what_a_command_shows(expected: list[str], actual: str, is_match: bool) -> None:
    assert matches(expected, actual) == is_match


def page(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "page.md"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_console_is_cut_into_commands(tmp_path: Path) -> None:
    text = "<!-- as: admin -->\n<!-- repeat -->\n```console\n$ one \\\n  two\nshown\n$ three\n> four\n```\n"
    [block] = blocks(page(tmp_path, text))
    assert block.asks == {"as": "admin", "repeat": ""}
    assert [(command.text, command.shows) for command in block.commands()] == [
        ("one \\\n  two", ["shown"]),
        ("three\nfour", []),
    ]


def test_output_belongs_to_the_block_before(tmp_path: Path) -> None:
    text = "```python\nprint(1)\n```\n\n<!-- output -->\n```text\n1\n```\n\n```text\na drawing\n```\n"
    [block] = blocks(page(tmp_path, text))
    assert block.shows == ["1"]


def test_a_reason_not_to_run_is_for_the_next_block_only(tmp_path: Path) -> None:
    text = "> Not run by the tests: no time.\n\n```ini\na=b\n```\n\n```sh\ntrue\n```\n"
    first, second = blocks(page(tmp_path, text))
    assert (first.not_run, second.not_run) == ("no time.", None)


@pytest.mark.parametrize("block", ["```yaml\na: b\n```", "```\nls\n```", "```json\n{}\n```"])
def test_each_block_says_what_is_done_with_it(tmp_path: Path, block: str) -> None:
    with pytest.raises(BadPage):
        blocks(page(tmp_path, block + "\n"))


def test_a_console_begins_with_a_command(tmp_path: Path) -> None:
    [block] = blocks(page(tmp_path, "```console\nls\n```\n"))
    with pytest.raises(BadPage):
        block.commands()
