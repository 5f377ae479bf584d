"""What plain Hydra runs, `-m` runs: the same jobs in the same order, by Hydra's own splitting.

docs/hydra.md has the table.
"""

from __future__ import annotations

import hydra
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from student_perf.config.search_path import hydra_ready
from student_perf.errors import ConfigError
from student_perf.sweep.plan import load_search, make_plan
from tests.conftest import compose_config
from tests.sweep.conftest import GROUPS, options_of
from tests.tiers import few_fast

FIXED = ("tracking=off", "split.n_splits=3")
C = "model.C=1,2"
PREVIEW = "hydra.sweeper.preview=true"
NAMES = "'a b',c"
IS_NEWER = not hydra.__version__.startswith("1.3.")


@pytest.fixture(scope="module")
def loader():
    with hydra_ready():
        return GlobalHydra.instance().config_loader()


@pytest.fixture
def parsed(loader):
    return lambda *words: OverridesParser.create(loader).parse_overrides([*FIXED, *words])


@pytest.fixture
def jobs(parsed):
    """The overrides of each of Hydra's jobs."""
    return lambda *words: BasicSweeper.split_arguments(parsed(*words), None)[0]


@pytest.fixture
def trials(parsed, workspace):
    """The config of each trial, in the order of their numbers."""

    def make(*words):
        plan, _ = make_plan(options_of(), parsed(*words), GROUPS.__contains__, load_search,
                            workspace / "multirun")  # fmt: skip
        assert plan.is_grid
        return [plan.composer.compose(values).composed for values in plan.space.grid()]

    return make


SAME = {
    "one value": ["model.C=1"],
    "nothing swept": [],
    "simple choice": [C],
    "two keys": [C, "model.max_iter=1,2"],
    "two keys, other order": ["model.max_iter=1,2", C],
    "choice": ["model.max_iter=choice(1,2)"],
    "range": ["model.max_iter=range(1,3)"],
    "range without start": ["model.max_iter=range(stop=3,start=1)"],
    "range downwards": ["model.max_iter=range(2,0,-1)"],
    "range with step": ["model.max_iter=range(1,4,step=2)"],
    "range of floats": ["model.C=range(0.5,1.5,0.5)"],
    "range of inexact floats": ["model.C=range(0.1,0.4,step=0.1)"],
    "cast range": ["model.C=float(range(1,3))"],
    "cast to whole": ["model.max_iter=int(range(1.0,3.0))"],
    "sort": ["model.max_iter=sort(2,1)"],
    "sort in reverse": ["model.max_iter=sort(1,2,reverse=true)"],
    "sort a range in reverse": ["model.max_iter=sort(range(1,3),reverse=true)"],
    "sort a choice": ["model=sort(tree,dummy)"],
    "tag a choice": ["model.C=tag(log,choice(1,2))"],
    "tags of a range": ["model.max_iter=tag(a,b,range(1,3))"],
    "group": ["model=tree,dummy"],
    "group and a fixed key of its options": ["model=tree,rf", "model.max_depth=choice(3)"],
    "group and a value": ["model=tree,rf", "model.max_depth=3,5"],
    "glob": ["model=glob(tr*)"],
    "glob without some": ["model=glob([t*,dum*],exclude=[tab*])"],
    "list": ["dataset.drop=[age]"],
    "lists": ["dataset.drop=[age],[]"],
    "lists in a choice": ["dataset.drop=choice([age],[age,hsgpa])"],
    "group of keys": ["+model.class_weight={0: 1, 1: 2, 2: 2},null"],
    "new key": ["model=svm", "+model.classifier.class_weight=balanced,null"],
    "++ of a known key": ["++model.tol=0.001,0.01"],
    "++ of a new key": ["model=svm", "++model.classifier.class_weight=balanced,null"],
    "~ beside a sweep": ["~model.max_iter", C],
    "~ with its value": ["~model.max_iter=1000", C],
    "package": ["model=stacking", "model@model.final=rf,logreg"],
    "tags": ["+tags.team='a b',c"],
    "null": ["model.class_weight=null,balanced"],
    "scientific": ["model.C=1e-1,1"],
    "infinite": ["model.C=inf,1"],
    "quoted blanks": [f"dataset.name={NAMES}"],
    "escaped comma": ["dataset.name=a\\,b,c"],
    "escaped blank": ["dataset.name=a\\ b,c"],
    "escaped quote": ["dataset.name='a\\'b',c"],
    "quote within quotes": ['dataset.name="it\'s",x'],
    "equal sign": ["dataset.name='x=y',z"],
    "quoted list": ["dataset.name='[a]',z"],
    "interpolation": ["dataset.name=${seed},x"],
    "quoted interpolation": ["dataset.name='${seed}',x"],
    "the last of equal keys": [C, "model.max_iter=1", "model.C=1"],
    "the last of equal keys, swept": ["model.C=3", "model.max_iter=1,2", C],
}


# One of each part of the grammar; the others go the same way.
FAST = (
    "nothing swept",
    "range of inexact floats",
    "group and a value",
    "glob without some",
    "~ beside a sweep",
    "quote within quotes",
    "the last of equal keys, swept",
)

# What Hydra itself does otherwise from 1.4 on; docs/hydra.md lists it.
OTHERWISE = {
    "~ beside a sweep": "Hydra 1.4 refuses its own job, `~key=null`",
    "range of inexact floats": "Hydra 1.4 counts in decimals: 0.3, not 0.30000000000000004",
}


def marks(situation):
    """How a situation is tried, and whether Hydra itself is known to differ in it."""
    known = pytest.mark.xfail(IS_NEWER, reason=OTHERWISE.get(situation, ""), strict=True)
    yield from () if situation in FAST else (pytest.mark.slow,)
    yield from (known,) if situation in OTHERWISE else ()


@pytest.mark.parametrize("situation", [pytest.param(s, marks=tuple(marks(s))) for s in SAME])
def test_the_same_jobs_in_the_same_order(jobs, trials, situation):
    words = SAME[situation]
    assert trials(*words) == [compose_config(*job).composed for job in jobs(*words)]


@pytest.mark.parametrize(
    "words", few_fast(["shuffle(1,2,3)", "shuffle(range(1,4))", "shuffle(choice(1,2))"], 1)
)
def test_shuffled_jobs_come_in_the_same_order_again(jobs, trials, words):
    """Hydra's come in another one each time, so a sweep could not be continued."""
    ours = [config["model"]["max_iter"] for config in trials(f"model.max_iter={words}")]
    theirs = [job[-1] for job in jobs(f"model.max_iter={words}")]
    assert sorted(f"model.max_iter={value}" for value in ours) == sorted(theirs)
    again = [config["model"]["max_iter"] for config in trials(f"model.max_iter={words}")]
    assert ours == again


def test_equal_jobs_run_once(jobs, trials):
    assert len(jobs("model.C=1,2,1")) == 3
    assert [config["model"]["C"] for config in trials("model.C=1,2,1")] == [1, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.C=nan,1"], "model.C=nan"),
        (["+model.tol=0.001,0.01"], "leave out the +"),
        (["~model.max_iter=2000", C], "Could not delete"),
        (["model@model=tree,rf"], "did you mean model"),
        (["dataset.source=nowhere,there"], "no such source"),
    ],
)
def test_a_job_that_cannot_run_stops_the_sweep_before_its_first(trials, words, message):
    """Hydra starts the others first, or ends in a traceback."""
    with pytest.raises(ConfigError, match=message.replace("+", r"\+")) as ours:
        trials(*words)
    assert "\n" not in str(ours.value)


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "hydra/launcher=basic"],
        ["hydra.mode=MULTIRUN"],
        ["-m", "hydra.job.name=other", "hydra.sweep.dir=elsewhere"],
    ],
)
@pytest.mark.filterwarnings("default")
def test_words_of_hydra_that_change_no_job(train, words):
    done = train(*words, C, PREVIEW)
    assert done.code == 0, done.err
    assert "2 trials, every combination once" in done.out


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("hydra.sweep.subdir='${hydra.job.override_dirname}'", "hydra.sweep.subdir has no effect"),
        ("hydra.job.chdir=true", "hydra.job.chdir has no effect"),
    ],
)
def test_words_of_hydra_that_do_nothing_here_are_named(train, word, line):
    done = train("-m", C, PREVIEW, word)
    assert (done.code, done.err) == (0, "")
    assert line in " ".join(done.out.split())
    assert "has no effect" not in train("-m", C, PREVIEW).out


def test_options_of_hydra_are_not_swept(train):
    done = train("-m", C, "hydra.verbose=true,false", PREVIEW)
    assert done.code == 1
    assert "Sweeping over Hydra's configuration is not supported" in done.err
    assert len(done.err.splitlines()) == 1
    space = train("-m", "hydra.sweeper.params.model.C=choice(1,2)", PREVIEW)
    assert "a space has no prefix; write 'model.C=choice(1,2)'" in space.err


@pytest.mark.slow
def test_params_by_a_dotted_key_on_the_command_line(train):
    done = train("-m", "+hydra.sweeper.params.model.C='1,2'", PREVIEW)
    assert (done.code, done.err) == (0, "")
    assert "model.C" in done.out


@pytest.mark.slow
def test_options_of_a_folder_elsewhere(train, tmp_path):
    from student_perf.paths import CONF_DIR

    (tmp_path / "conf/model").mkdir(parents=True)
    text = (CONF_DIR / "model/tree.yaml").read_text(encoding="utf-8")
    (tmp_path / "conf/model/mine.yaml").write_text(text, encoding="utf-8")
    done = train("-m", "--config-dir", str(tmp_path / "conf"), "model=mine,dummy", PREVIEW)
    assert (done.code, done.err) == (0, "")
    assert "mine, dummy" in done.out


CALLS: list[str] = []


class Calls:
    """A callback of Hydra's."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda **_: CALLS.append(name)


def test_callbacks_of_the_whole_sweep_are_called(train):
    CALLS.clear()
    done = train("-m", C, PREVIEW, "+hydra.callbacks={x: {_target_: tests.sweep.test_peer.Calls}}")
    assert done.code == 0, done.err
    assert {"on_multirun_start", "on_multirun_end"} <= set(CALLS)
    assert "on_job_start" not in CALLS  # trials are no jobs of Hydra's
