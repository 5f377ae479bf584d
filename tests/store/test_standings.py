from student_perf.store.standings import STANDINGS_FILE, Standings, load_standings
from student_perf.store.views import SweepShape


def test_standings_come_back_as_they_were_saved(tmp_path):
    assert load_standings(tmp_path) is None
    shape = SweepShape("grades", ("accuracy", "fit_seconds"), ("model.C",), repeats=("seed",))
    known = Standings(shape, {0: {"rank": 2.0}, 7: {"rank": 1.0, "student_perf.tied": "tied"}})
    known.save(tmp_path)
    assert load_standings(tmp_path) == known
    assert (tmp_path / STANDINGS_FILE).read_text().endswith("}\n")
