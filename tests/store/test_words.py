from student_perf.paths import PROJECT_DIR
from student_perf.store.words import ANY_WORD, WORDS


def test_the_documentation_lists_every_word_with_its_meaning_and_an_example():
    page = (PROJECT_DIR / "docs/after_training.md").read_text(encoding="utf-8")
    table = page.partition("## Naming a run")[2].partition("\n\n|")[2].partition("\n\n")[0]
    cells = [tuple(cell.strip() for cell in row.split("|")[1:4]) for row in table.splitlines()[2:]]
    assert {word: meaning for word, _, meaning in cells} == WORDS
    assert all(example.startswith("`") for _, example, _ in cells)


def test_help_and_errors_list_every_word():
    assert all(word in ANY_WORD for word in WORDS)
