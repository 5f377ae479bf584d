def test_objective_follows_the_task(compose_config):
    assert compose_config("dataset=econmath_score").objective.metric == "root_mean_squared_error"
    assert compose_config("dataset=econmath_score").objective.direction == "minimize"
    assert compose_config("objective.metric=log_loss").objective.direction == "minimize"


def test_the_seed_reaches_split_and_model(compose_config):
    config = compose_config("seed=11", "model=rf")
    assert config.split.random_state == 11
    assert config.model["random_state"] == 11
