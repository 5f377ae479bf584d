from student_perf.reproduction.unchanged import check_folder
from student_perf.runs.record import RunRecord


def ended(folder, kind):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    record = RunRecord(folder, folder.name, kind, {}, {}, started=1.0)
    record.finish()
    return record


def test_a_sweep_is_checked_with_its_parts(tmp_path):
    sweep = ended(tmp_path / "s", "sweep")
    ended(tmp_path / "s" / "0", "trial")
    winner = ended(tmp_path / "s" / "winner", "final")
    (sweep.folder / "study.journal").write_text("{}\n")
    (winner.folder / "notes.txt").write_text("mine\n")
    state = check_folder(sweep.folder)
    assert (state.n_records, state.n_files) == (3, 3)
    assert (state.changed, state.unsealed) == ([], [])
    assert state.added == [str(winner.folder / "notes.txt")]
    (sweep.folder / "0" / "config.yaml").unlink()
    record = winner.folder / "record.json"
    record.write_text(record.read_text().replace('"started": 1.0', '"started": 2.0'))
    assert check_folder(sweep.folder).changed == [
        f"{sweep.folder / '0' / 'config.yaml'}: is missing, and the run had left it",
        f"{record}: was changed after the run",
    ]


def test_records_of_earlier_versions_are_named(tmp_path):
    record = ended(tmp_path / "old", "single")
    text = (record.folder / "record.json").read_text()
    head = text[: text.index(',\n  "files"')]
    (record.folder / "record.json").write_text(f"{head}\n}}\n")
    state = check_folder(record.folder)
    assert state.unsealed == [str(record.folder)]
    assert (state.changed, state.added, state.n_files) == ([], [], 0)
