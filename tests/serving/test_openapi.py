from dataclasses import replace

from student_perf.serving.openapi import make_openapi
from student_perf.serving.request_rows import RequestReader
from tests.serving.test_request_rows import CONTRACT

BATCH = RequestReader(CONTRACT, 7).schema()


def answer(contract):
    post = make_openapi(contract, BATCH, 2000, 7)["paths"]["/predict"]["post"]
    schema = post["responses"]["200"]["content"]["application/json"]["schema"]
    return post, schema["properties"]["predictions"]["items"]["properties"]


def test_a_request_is_the_batch_of_the_contract_within_the_limits():
    post, _ = answer(CONTRACT)
    assert post["requestBody"]["required"] is True
    assert post["requestBody"]["content"]["application/json"]["schema"] is BATCH
    assert post["responses"]["413"]["description"] == "over 2000 bytes or 7 rows"
    assert {"400", "415", "422"} < set(post["responses"])


def test_an_answer_holds_a_class_and_the_share_of_each_or_a_number():
    _, classes = answer(CONTRACT)
    assert classes["prediction"] == {"enum": ["low", "high"]}
    assert list(classes["probabilities"]["properties"]) == ["low", "high"]
    _, numbers = answer(replace(CONTRACT, classes=[]))
    assert numbers == {name: {"type": "number"} for name in ("prediction", "low", "high")}


def test_a_request_may_ask_for_sets():
    post, classes = answer(CONTRACT)
    (parameter,) = post["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == (
        "coverage",
        "query",
        False,
    )
    assert classes["set"]["items"] == {"enum": ["low", "high"]}
