from student_perf.tables.arff import read_arff


def test_padded_values_are_trimmed_and_text_and_dates_are_left_out():
    table, notes = read_arff(
        "@relation r\n@attribute name string\n@attribute g {' low', 'high '}\n"
        "@attribute day date 'yyyy-MM-dd'\n@attribute x numeric\n@data\n"
        "'Ada, L', ' low', '2024-01-02', 1.5\n'B', 'high ', '2024-01-03', ?\n"
    )
    assert list(table) == ["g", "x"]
    assert table["g"].tolist() == ["low", "high"]
    assert table["x"].iloc[0] == 1.5
    assert table["x"].isna().tolist() == [False, True]
    assert notes == ["'name': string, left out", "'day': date, left out"]


def test_letters_beyond_ascii_in_names_and_values_are_kept():
    table, _ = read_arff(
        "@relation r\n@attribute 'año' numeric\n@attribute a=b {'sí',no}\n@data\n1,sí\n2,no\n3,?\n"
    )
    assert list(table) == ["año", "a=b"]
    assert table["a=b"].tolist()[:2] == ["sí", "no"]
    assert table["a=b"].isna().tolist() == [False, False, True]
