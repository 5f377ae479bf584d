from io import StringIO

import pytest
from rich.console import Console

from student_perf.compare.outcome import SweepOutcome, sentences
from student_perf.runs.record import load_record
from student_perf.scoring.intervals import row_interval
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import row_difference
from student_perf.sweep.show import Progress, show_plan, show_trials
from student_perf.text import format_p
from tests.compare.test_distinct import made
from tests.sweep.conftest import outcome_of, run_trials

C = "model.C=tag(log,interval(0.0001,10))"


@pytest.fixture
def done(plan_of):
    plan, evaluator = plan_of(C, n_trials=12)
    study = run_trials(plan, evaluator)
    return plan, study, evaluator


def test_the_outcome_names_the_best_and_its_gain_over_the_defaults(done):
    plan, study, evaluator = done
    outcome = outcome_of(plan, evaluator)
    best = study.best_trial
    text = " ".join(sentences(outcome))
    assert f"Best: trial {best.number}, accuracy {best.value:.3f} (95 % interval " in text
    assert f"with model.C={best.params['model.C']:.4g}." in text
    ours, defaults = (load_record(plan.folder / str(n)) for n in (best.number, 0))
    gain = row_difference(*(record.row_scores("accuracy") for record in (ours, defaults)))
    if best.number != 0:
        assert f"{gain.mean:+.3f} better" in text
        p_value = max(gain.p_value, outcome.defaults.p_value)  # of all trials together
        assert f"{gain.low:+.3f} to {gain.high:+.3f}, p {format_p(p_value)}, corrected" in text
        assert "It is the best of 12 tries" in text
    assert "What mattered" in text


@pytest.mark.slow
def test_a_loss_counts_as_better_when_it_is_lower(plan_of):
    plan, evaluator = plan_of("objective=log_loss", C, n_trials=8)
    study = run_trials(plan, evaluator)
    outcome = outcome_of(plan, evaluator)
    assert outcome.best.record.trial_number == study.best_trial.number
    assert study.best_value == min(t.value for t in study.trials)
    if study.best_trial.number != 0:
        (line,) = [line for line in sentences(outcome) if "the defaults" in line]
        assert line.startswith("Gain: +0.")


@pytest.mark.slow
def test_a_constant_objective_is_said(plan_of):
    plan, evaluator = plan_of("model=dummy", "preprocess=default,ordinal,native")
    run_trials(plan, evaluator)
    text = " ".join(sentences(outcome_of(plan, evaluator)))
    assert "nothing that was swept matters" in text


def test_the_trials_are_shown_best_first_with_their_interval_by_rows(done):
    plan, study, evaluator = done
    out = StringIO()
    show_trials(outcome_of(plan, evaluator), Console(file=out, width=80))
    rows = [line.split() for line in out.getvalue().splitlines()[1:] if "model.C" in line]
    best_first = sorted(study.trials, key=lambda t: (-t.value, t.number))
    assert [int(row[0]) for row in rows] == [t.number for t in best_first[:10]]
    scores = load_record(plan.folder / rows[0][0]).row_scores("accuracy")
    expected = row_interval(scores, METRICS["accuracy"])
    assert rows[0][2:] == [
        f"{expected.mean:.3f}", f"{expected.low:.3f}", "to", f"{expected.high:.3f}"
    ]  # fmt: skip
    assert "and 2 more" in out.getvalue()


def test_exact_repeats_are_one_row_that_says_how_many(make_record):
    trials = [made(make_record, f"tree-{i}", [0.5, 0.6], "a", study="s") for i in range(3)]
    trials.append(made(make_record, "tree-3", [0.4, 0.5], "b", study="s"))
    sweep = made(make_record, "s", [], "c", kind="sweep")
    out = StringIO()
    show_trials(SweepOutcome(sweep, trials, None), Console(file=out, width=80))
    rows = out.getvalue().splitlines()[1:]
    assert [row.split()[:2] for row in rows if "0." in row] == [["0", "(x3)"], ["3", "the"]]


def test_progress_in_a_file_is_plain_lines(done):
    plan, study, _ = done
    out = StringIO()
    with Progress(plan, study, Console(file=out)).shown():
        pass
    line = out.getvalue().strip()
    assert line.startswith("12/12 trials, best 0.")
    assert "\x1b" not in line
    assert len(line) <= 80


def test_progress_reads_only_the_record_of_a_new_best(done, monkeypatch):
    plan, study, evaluator = done
    read = []
    monkeypatch.setattr(
        "student_perf.sweep.show.load_record", lambda path: read.append(path) or load_record(path)
    )
    progress = Progress(plan, study, Console(file=StringIO()))
    for _ in range(3):
        with progress.shown():
            pass
    best = outcome_of(plan, evaluator).best.record.trial_number
    assert read == [plan.folder / str(best)]


def test_the_plan_fits_80_columns_and_shows_the_defaults(plan_of):
    plan, _ = plan_of("model=logreg,svm", "model.tol=range(0.001,0.1,0.001)")
    out = StringIO()
    show_plan(plan, Console(file=out, width=80), 130.0, "What 3 folds can show: little.")
    text = out.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "logreg" in text
    assert "about 2 min 10 s" in " ".join(text.split())
    assert "200 trials, every combination once" in text
    assert "What 3 folds can show: little." in text


def test_the_plan_says_where_a_grid_ends(plan_of):
    plan, _ = plan_of("model=tree", "model.max_depth=2,3,4", sampler="grid", n_trials=2)
    out = StringIO()
    show_plan(plan, Console(file=out, width=80), 1.0, "")
    assert "2 trials, the first of 3;" in out.getvalue()


def test_the_plan_says_how_much_of_the_space_a_search_tries(plan_of):
    def shown(**options):
        plan, _ = plan_of("model=tree", "model.max_depth=2,3", sampler="random", **options)
        out = StringIO()
        show_plan(plan, Console(file=out, width=200), None, "")
        return out.getvalue()

    assert "3 trials, all 2 configurations of the space, drawn by random" in shown(n_trials=16)
    assert "1 trials of 2 configurations" in shown(n_trials=1)
    assert "Ends when the best has not improved for 3 trials" in shown(n_trials=16, patience=3)


def test_pairs_stand_in_the_plan(plan_of):
    plan, _ = plan_of("model=rf", zip=[{"model.max_depth": [2, 4], "model.n_estimators": [9, 5]}])
    assert plan.n_trials == 2
    out = StringIO()
    show_plan(plan, Console(file=out, width=80), None, "")
    assert "2, 4, in step with model.n_estimators" in " ".join(out.getvalue().split())


def test_the_plan_says_what_halving_may_miss(plan_of, monkeypatch):
    monkeypatch.setattr("student_perf.sweep.rungs._FEWEST_ROWS", 10)
    monkeypatch.setattr("student_perf.sweep.rungs._FEWEST_OF_A_CLASS", 1)
    plan, _ = plan_of(C, n_trials=4, pruner="halving", patience=2)
    out = StringIO()
    show_plan(plan, Console(file=out, width=400), None, "")
    small, large, whole = plan.rungs
    assert f"first learns from {small}, then {large} of the {whole} training rows" in out.getvalue()
    assert "the defaults are never stopped, and what needs many rows may be." in out.getvalue()
    assert "not improved for 2 trials on all rows, which saves" in out.getvalue()
