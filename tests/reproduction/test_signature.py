import shutil
import subprocess

import pytest

from student_perf.errors import ConfigError
from student_perf.reproduction.signature import is_signed_by, sign

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")


@pytest.fixture
def key(tmp_path):
    return make_key(tmp_path / "id_ed25519")


def make_key(path, passphrase=""):
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "ada@host", "-f"]
    subprocess.run([*words, str(path)], check=True)
    return path


def test_a_signature_fits_its_content_and_its_key_only(key, tmp_path):
    public = key.with_name("id_ed25519.pub")
    signature = sign(b"checksums\n", key)
    assert is_signed_by(b"checksums\n", signature, public)
    assert not is_signed_by(b"checksums \n", signature, public)
    other = make_key(tmp_path / "other")
    assert not is_signed_by(b"checksums\n", signature, other.with_name("other.pub"))
    assert not is_signed_by(b"checksums\n", b"no signature", public)
    assert sign(b"checksums\n", key) == signature


def test_a_signature_for_another_purpose_does_not_count(key, tmp_path):
    file = tmp_path / "content"
    file.write_bytes(b"checksums\n")
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", "git", str(file)],
        check=True,
        capture_output=True,
    )
    signature = (tmp_path / "content.sig").read_bytes()
    assert not is_signed_by(b"checksums\n", signature, key.with_name("id_ed25519.pub"))


def test_keys_that_cannot_be_used_are_one_line(key, tmp_path, monkeypatch):
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "never")
    text = tmp_path / "text"
    text.write_text("no key\n")
    for path in (tmp_path / "gone", text):
        with pytest.raises(ConfigError, match=rf"--sign .*/{path.name}: "):
            sign(b"x", path)
        with pytest.raises(ConfigError, match=rf"--key .*/{path.name}: "):
            is_signed_by(b"x", b"y", path)
    with pytest.raises(ConfigError, match="is not a public ssh key"):
        is_signed_by(b"x", b"y", key)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="needs ssh-keygen, which is not installed"):
        sign(b"x", key)
