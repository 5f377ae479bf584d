import pytest
from starlette.testclient import TestClient

from student_perf.errors import ConfigError
from student_perf.serving.access import Access, Door, read_token
from student_perf.serving.reply import reply

TOKEN = "correct-horse-battery-staple"


def status(access, host="localhost", path="/model", **headers):
    client = TestClient(Door(reply(200, {}), access), base_url=f"http://{host}")
    return client.get(path, headers=headers).status_code


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST.", "127.0.0.1:81", "[::1]", "[::1]:8000"]
)
def test_without_a_token_the_host_is_this_machine(host):
    assert status(Access("127.0.0.1"), Host=host) == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil", "[::2]", "[", ":"],
)
def test_another_host_is_refused_but_health_is_answered(host):
    access = Access("127.0.0.1")
    assert access.refusal(host, "").status_code == 421
    if host:
        assert status(access, Host=host) == 421
        assert status(access, path="/health", Host=host) == 200


def test_the_address_that_is_listened_on_is_a_host_too():
    assert status(Access("127.0.0.2"), Host="127.0.0.2:8000") == 200
    assert status(Access("127.0.0.1"), Host="127.0.0.2:8000") == 421


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_with_a_token_whoever_knows_it_asks_under_any_name(given):
    assert status(Access("0.0.0.0", TOKEN), "grades.example", Authorization=given) == 200


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[1:]}", TOKEN, "é"],
)
def test_without_the_token_only_health_is_answered(given):
    access = Access("127.0.0.1", TOKEN)
    answer = access.refusal("localhost", given)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert status(access) == 401
    assert status(access, path="/health") == 200
    assert status(access, path="/health/") == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_an_address_that_others_reach_needs_a_token(host):
    with pytest.raises(ConfigError, match="others can reach this address, so requests need a tok"):
        Access(host)
    assert Access(host, TOKEN).host == host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_one_of_this_machine_needs_none(host):
    assert Access(host).token is None


@pytest.mark.parametrize("host", ["no host", "a" * 300, "nowhere.invalid"])
def test_what_is_no_address_is_one_line(host):
    with pytest.raises(ConfigError, match="does not name this machine"):
        Access(host)


def test_a_token_is_one_long_word_of_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read_token(str(file)) == TOKEN
    for wrong in ("", "short", "two words of sufficient length", "ümlaute-are-not-sent-alike"):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(ConfigError, match="must hold one word of 16 or more"):
            read_token(str(file))
    file.write_bytes(b"\xff\xfe" * 20)
    for lacking in (file, tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_token(str(lacking))
