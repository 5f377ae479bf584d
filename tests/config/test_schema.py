from student_perf.config.schema import (
    Bands,
    HoldoutSplit,
    KFoldSplit,
    RepeatedKFoldSplit,
    ReportConfig,
)
from student_perf.paths import CONF_DIR


def test_defaults_are_typed(compose_config):
    config = compose_config()
    assert config.dataset.bands == Bands(
        [60.0, 70.0, 80.0], ["under_60", "60_to_70", "70_to_80", "from_80"]
    )
    assert config.split == KFoldSplit("kfold", 0.2, 0, True, 5)
    assert config.report == ReportConfig(True, 5, False, 20)
    assert config.dataset.subgroups == ["male", "mothcoll"]
    assert (config.objective.metric, config.objective.direction) == ("accuracy", "maximize")
    assert config.tags == {"role": "data_science", "phase": "exploration"}


def test_split_options_give_their_own_types(compose_config):
    assert isinstance(compose_config("split=holdout").split, HoldoutSplit)
    repeated = compose_config("split=repeated_kfold", "split.n_repeats=3").split
    assert isinstance(repeated, RepeatedKFoldSplit)
    assert repeated.n_repeats == 3


def test_hash_ignores_tags_tracking_and_report_only(compose_config):
    base = compose_config().sha256
    assert compose_config("report.importance=false", "report.min_group_size=5").sha256 == base
    assert compose_config("+tags.team=blue", "tracking=off").sha256 == base
    assert compose_config("model.C=0.5").sha256 != base
    assert compose_config("seed=1").sha256 != base


def test_every_yaml_starts_with_a_command_that_uses_it():
    for file in CONF_DIR.rglob("*.yaml"):
        lines = file.read_text(encoding="utf-8").splitlines()
        # Hydra reads a package directive only from the very first line.
        first = lines[1] if lines[0].startswith("# @package") else lines[0]
        *groups, _ = file.relative_to(CONF_DIR).parts
        assert first.startswith("# python -m student_perf"), file
        if groups:
            assert first.startswith("# python -m student_perf.train"), file
            named = (
                "/".join(groups) + f"={file.stem}",
                f"{groups[0]}={'/'.join([*groups[1:], file.stem])}",
            )
            assert any(words in first for words in named), file
