import multiprocessing

import pytest
import sqlalchemy

from student_perf.store.pools import keep_pools_apart


def ask(engine, answers):
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        answers.put(
            (id(raw), connection.execute(sqlalchemy.text("SELECT count(*) FROM t")).scalar())
        )


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="the system cannot fork"
)
@pytest.mark.slow
def test_a_fork_opens_connections_of_its_own(tmp_path):
    keep_pools_apart()
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (x)"))
        mine = connection.connection.dbapi_connection
    with engine.connect() as connection:  # the pool's own, again
        assert connection.connection.dbapi_connection is mine
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=ask, args=(engine, answers))
    child.start()
    theirs, n_rows = answers.get(timeout=600)
    child.join()
    assert (theirs != id(mine), n_rows, child.exitcode) == (True, 0, 0)
    with engine.connect() as connection:
        assert connection.connection.dbapi_connection is mine
