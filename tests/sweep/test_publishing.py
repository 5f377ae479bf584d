from student_perf.sweep.publishing import start_publisher


def test_nothing_is_published_if_nothing_is_tracked(plan_of):
    plan, _ = plan_of("model.C=0.1,1")
    assert start_publisher(plan) is None
