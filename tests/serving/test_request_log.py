import json

from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from student_perf.serving.reply import reply
from student_perf.serving.request_log import RequestLog


def ask(app, path="/", method="GET"):
    """The answer, None if there is none, and the line in the log."""
    lines = []
    client = TestClient(RequestLog(app, lines.append), raise_server_exceptions=False)
    answer = client.request(method, path)
    (line,) = lines
    return answer, json.loads(line)


def failing(error):
    async def app(scope, receive, send):
        raise error

    return app


def test_a_line_says_what_was_asked_and_what_came_of_it():
    answer, line = ask(reply(404, {"detail": "Not Found"}), "/some?secret=1")
    assert answer.status_code == 404
    assert (line["method"], line["path"], line["status"]) == ("GET", "/some", 404)
    assert line["ms"] >= 0


def test_long_words_are_cut():
    _, line = ask(reply(200, {}), "/" + "x" * 60_000, "M" * 5000)
    assert line["path"] == "/" + "x" * 199 + "..."
    assert len(line["method"]) == 203


def test_an_error_is_a_plain_500_and_the_log_has_its_place_without_its_text():
    answer, line = ask(failing(RuntimeError("secret")))
    assert answer.status_code == line["status"] == 500
    assert line["error"].startswith("RuntimeError at ")
    assert "secret" not in answer.text + json.dumps(line)


def test_a_client_that_goes_away_is_no_error():
    _, line = ask(failing(ClientDisconnect()))
    assert line["status"] == 499
    assert "error" not in line
