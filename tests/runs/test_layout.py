import os

from student_perf.runs import layout


def add(folder):
    folder.mkdir(parents=True)
    (folder / layout.RECORD_FILE).touch()
    return folder


def test_folders_with_a_record_are_found_by_their_place(workspace):
    run = add(workspace / "outputs/2026-01-02/03-04-05_a")
    sweep = add(layout.sweep_folder("mine"))
    trial, winner = add(sweep / "0"), add(sweep / layout.WINNER)
    drift = add(workspace / "drift/2026")
    (workspace / "outputs/2026-01-02/empty").mkdir()
    assert list(layout.iter_folders()) == [run, sweep, trial, winner, drift]
    assert list(layout.iter_folders(layout.SWEEPS, layout.WINNERS)) == [sweep, winner]
    assert list(layout.iter_below(sweep)) == [sweep, trial, winner]
    assert list(layout.iter_below(sweep, layout.TRIALS)) == [trial]
    assert list(layout.iter_below(workspace / "outputs")) == [run]


def test_links_and_pipes_of_a_stranger_are_not_followed(workspace):
    run = add(workspace / "outputs/2026-01-02/run")
    (workspace / "secret").write_text("precious")
    (run / "notes.txt").symlink_to(workspace / "secret")
    (run / "more").symlink_to(workspace, target_is_directory=True)
    (run / "images").mkdir()
    (run / "images/a.png").touch()
    names = [path.relative_to(run).as_posix() for path in layout.iter_files(run)]
    assert names == ["images/a.png", layout.RECORD_FILE]
    if hasattr(os, "mkfifo"):
        pipe = workspace / "outputs/2026-01-02/pipe"
        pipe.mkdir()
        os.mkfifo(pipe / layout.RECORD_FILE)
        assert list(layout.iter_below(workspace / "outputs")) == [run]
