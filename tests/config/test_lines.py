"""The line of a key in a TOML text."""

from roadworthy.config import line_of

TEXT = '''\
# seed = 0
[ audit ]  # how
seed = 3
note = """
seed = 4
[purpose]
"""
"a b" = 1
[subject]
split = { train = "x" }
[requirements."x.y"]
bound = 1
'''


def test_keys_are_found_in_their_section_and_not_in_comments_or_texts() -> None:
    assert line_of(TEXT, ["audit"]) == 2
    assert line_of(TEXT, ["audit", "seed"]) == 3
    assert line_of(TEXT, ["audit", "a b"]) == 8
    assert line_of(TEXT, ["purpose"]) is None
    assert line_of(TEXT, ["requirements", "x.y", "bound"]) == 12


def test_what_has_no_line_of_its_own_has_that_of_the_key_around_it() -> None:
    assert line_of(TEXT, ["subject", "split", "train"]) == 10
    assert line_of(TEXT, ["subject", "nothing"]) == 9
    assert line_of(TEXT, ["nothing"]) is None
