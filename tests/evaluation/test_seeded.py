"""Defects that were planted in public tables are found, and the tables as they are pass."""

import pytest

from tests.evaluation.seeded import (
    DEFECTS,
    PER_TABLE,
    TABLES,
    clean_table,
    findings,
    is_found,
    planted_in,
)


@pytest.mark.parametrize("name", ["diabetes", "econmath"])
@pytest.mark.slow
def test_defects_of_a_table_are_found_and_the_table_itself_passes(name, tmp_path):
    assert findings(clean_table(name), TABLES[name][0], tmp_path) == []
    for planted in planted_in(name):
        found = findings(planted.table, TABLES[name][0], tmp_path, planted.split)
        assert is_found(planted, found), planted.code


@pytest.mark.slow
def test_at_least_36_of_40_are_found_with_at_most_one_alarm_in_a_clean_table(tmp_path):
    assert len(TABLES) * PER_TABLE == 40 > 2 * len(DEFECTS)
    n_found = 0
    for name, (target, _) in TABLES.items():
        assert len(findings(clean_table(name), target, tmp_path)) <= 1, name
        for planted in planted_in(name):
            n_found += is_found(planted, findings(planted.table, target, tmp_path, planted.split))
    assert n_found >= 36
