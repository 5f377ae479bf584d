from student_perf.serving.reply import HEADERS, PAGE_HEADERS, reply


def test_an_answer_is_json_that_nobody_keeps_or_guesses():
    answer = reply(422, {"detail": "wrong"}, {"Connection": "close"})
    assert (answer.status_code, answer.body) == (422, b'{"detail":"wrong"}')
    assert answer.headers["connection"] == "close"
    assert {answer.headers[name] for name in HEADERS} == set(HEADERS.values())


def test_a_page_is_shown_within_no_other():
    assert PAGE_HEADERS["X-Frame-Options"] == "DENY"
    assert PAGE_HEADERS.items() > HEADERS.items()
