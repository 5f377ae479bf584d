from student_perf.config.model_node import model_node
from student_perf.models.build import algorithm_name, build_estimator

FOREST = {"_target_": "sklearn.ensemble.RandomForestClassifier", "max_depth": 3}


def test_a_node_as_hydra_instantiates_it_serves_the_task_and_has_the_name_of_its_class():
    node = model_node(FOREST, "classification")
    assert node["name"] == "RandomForestClassifier"
    assert build_estimator(node, "classification").max_depth == 3
    assert algorithm_name(node, "classification") == "RandomForestClassifier"
    tree = {"_target_": "sklearn.tree.DecisionTreeRegressor"}
    assert model_node(tree, "regression")["regressor"] == tree


def test_models_within_models_get_the_same_form():
    final = {"name": "lr", "classifier": {"_target_": "sklearn.linear_model.LogisticRegression"}}
    stack = {
        "_target_": "sklearn.ensemble.StackingClassifier",
        "final": final,
        "members": {"forest": FOREST},
    }
    built = build_estimator(model_node(stack, "classification"), "classification")
    assert [type(one).__name__ for _, one in built.estimators] == ["RandomForestClassifier"]
    assert type(built.final_estimator).__name__ == "LogisticRegression"


def test_a_node_in_the_form_of_conf_stays_as_it_is():
    node = {"name": "rf", "max_depth": 3, "classifier": {"_target_": FOREST["_target_"]}}
    assert model_node(node, "classification") == node
    assert model_node(node, "regression") == node
    assert list(FOREST) == ["_target_", "max_depth"]  # not changed
