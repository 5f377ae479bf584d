import pytest

from student_perf.data.spellings import declared_spellings, folded, same_values


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SÍ", "si"), ("si\u0301", "si"), (" No  sé ", "no se"), ("が", "が"), ("й", "й"), (3, "3")],
)
def test_only_accents_of_latin_letters_fold(text, expected):
    assert folded(text) == expected


def test_a_value_that_is_declared_itself_keeps_its_spelling():
    spellings = declared_spellings(["Si", "sí", "SI"])
    assert [spellings.of(one) for one in ("Si", "sí", "SI")] == ["Si", "sí", "SI"]
    assert declared_spellings(["papa", "papá"]).of("Pápà") == "Pápà"  # either may be meant


def test_values_are_grouped_by_what_they_are():
    assert same_values(["a", "b", "A", "á", "B"]) == [["a", "A", "á"], ["b", "B"]]
    assert same_values(["a", "b", None]) == []
