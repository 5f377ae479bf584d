import pytest

from student_perf.config.rules import make_guards
from student_perf.errors import ConfigError


def test_objective_follows_the_task(compose_config):
    assert compose_config("dataset=econmath_score").objective.metric == "root_mean_squared_error"
    assert compose_config("dataset=econmath_score").objective.direction == "minimize"
    assert compose_config("objective.metric=log_loss").objective.direction == "minimize"


def test_the_seed_reaches_split_and_model(compose_config):
    config = compose_config("seed=11", "model=rf")
    assert config.split.random_state == 11
    assert config.model["random_state"] == 11


def test_a_check_is_set_by_its_code_or_by_its_former_name(compose_config):
    config = compose_config(
        "guards.SP203=off", "guards.leaking_feature=warn", "guards.constant=off"
    )
    levels = config.guards.levels
    assert (levels["SP101"], levels["SP202"], levels["SP203"]) == ("warn", "off", "off")
    assert config.guards.level("SP102") == "error"
    # Recorded by code only, so that equal levels give equal configs.
    assert config.composed["guards"] == levels
    assert (
        config.sha256
        == compose_config("guards.SP203=off", "guards.SP101=warn", "guards.SP202=off").sha256
    )


def test_a_record_of_earlier_times_keeps_its_guards():
    guards = make_guards({"leaking_feature": "warn", "constant": False})
    assert guards.levels == {"SP101": "warn", "SP202": "off"}
    assert guards.level("SP203") == "warn"


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"SP101": "loud"}, r"guards\.SP101=loud: must be error, warn or off"),
        ({"SP101": None}, r"guards\.SP101=null: must be error, warn or off"),
        ({"leaking": "off"}, r"guards\.leaking: names no check.*leaking_feature"),
    ],
)
def test_a_level_or_code_that_does_not_exist_is_refused(node, message):
    with pytest.raises(ConfigError, match=message):
        make_guards(node)


def test_splits_take_the_declared_groups_and_datasets_the_column_of_a_split(compose_config):
    for kind in ("group_kfold", "stratified_group_kfold"):
        words = [f"split={kind}", "+dataset.group=male"]
        assert compose_config(*words).split.group == "male"
        assert compose_config(*words, "split.group=work").split.group == "work"
    assert compose_config("split=nested", "+dataset.group=male").split.group == "male"
    for kind in ("group_kfold", "nested"):
        dataset = compose_config(f"split={kind}", "split.group=work").dataset
        assert (dataset.group, dataset.group_column) == (None, "work")
    both = compose_config("split=nested", "split.group=work", "+dataset.group=male")
    assert (both.split.group, both.dataset.group_column) == ("work", "male")
    assert compose_config("split=column", "split.column=male").dataset.split_column == "male"
    assert compose_config().dataset.split_column is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["split=group_kfold"], r"split=group_kfold: .* add dataset.group=COLUMN"),
        (["split=stratified_group_kfold"], "add dataset.group=COLUMN"),
        (["split=temporal"], r"split=temporal: .* add dataset.time=COLUMN"),
        (["split=column", "split.column=score"], "is the target"),
        (["split=nested", "split.group=score"], "split.group=score: is the target"),
        (["+dataset.time=score"], r"dataset.time=score: is the target"),
        (["split=temporal", "+dataset.time=age", "split.gap=-1"], "split.gap=-1"),
        (
            ["split=temporal", "+dataset.time=age", "split.keep_duplicates_together=true"],
            "time alone divides the rows of split=temporal",
        ),
        (["split=column", "split.column=age", "split.test_size=0.2"], "the column says which"),
        (["split=column", "split.column=age", "+split.test_random_state=1"], "no seed changes"),
        (
            ["split=column", "split.column=age", "+split.stratify_by=male"],
            "the column alone divides",
        ),
        (
            ["split=group_kfold", "split.group=age", "+split.stratify_by=male"],
            "use split=stratified_group_kfold",
        ),
    ],
)
def test_combinations_without_a_meaning_are_refused(compose_config, words, message):
    with pytest.raises(ConfigError, match=message):
        compose_config(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["dataset.text=[hours]", "dataset.categorical=[hours]"],
            "'hours' is in dataset.categorical",
        ),
        (["dataset.text=[grade]"], "holds the target"),
    ],
)
def test_a_column_of_text_is_nothing_else(compose_config, grades, words, message):
    base = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade"]
    with pytest.raises(ConfigError, match=message):
        compose_config(*base, *words)
