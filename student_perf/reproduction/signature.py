"""Signatures by the ssh keys that people have already, made and checked by `ssh-keygen -Y`."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from student_perf.errors import ConfigError

NAMESPACE = "student_perf"  # a signature made for another purpose does not count
_SIGNER = "signer"
_MOST_KEY_BYTES = 1 << 16


def sign(content: bytes, key: Path) -> bytes:
    """The signature of some bytes by a private key, or by a public one whose private part the ssh
    agent holds. Raises ConfigError if it cannot be made.
    """
    if not key.is_file():
        raise ConfigError(f"--sign {key}: no such file; name an ssh key, as ~/.ssh/id_ed25519")
    with tempfile.TemporaryDirectory(prefix="student_perf-") as place:
        file = Path(place) / "content"
        file.write_bytes(content)
        done = _ssh_keygen("--sign", ["-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(file)])
        if done.returncode:
            raise ConfigError(f"--sign {key}: cannot sign ({_last_line(done)}); name an ssh key")
        return file.with_name("content.sig").read_bytes()


def is_signed_by(content: bytes, signature: bytes, key: Path) -> bool:
    """Whether the owner of a public key has signed these bytes.

    Raises ConfigError if the key cannot be used.
    """
    public = public_key(key)
    with tempfile.TemporaryDirectory(prefix="student_perf-") as place:
        signers, file = Path(place) / "signers", Path(place) / "signature"
        signers.write_text(f'{_SIGNER} namespaces="{NAMESPACE}" {public}\n', encoding="utf-8")
        file.write_bytes(signature)
        words = ["-Y", "verify", "-f", str(signers), "-I", _SIGNER, "-n", NAMESPACE]
        return _ssh_keygen("--key", [*words, "-s", str(file)], content).returncode == 0


def public_key(key: Path) -> str:
    """Content of a public key file, one line. Raises ConfigError if it is none."""
    if not key.is_file():
        raise ConfigError(f"--key {key}: no such file; name a public ssh key, as id_ed25519.pub")
    done = _ssh_keygen("--key", ["-l", "-f", str(key)])
    text = key.read_bytes()[:_MOST_KEY_BYTES].decode("utf-8", "replace").strip()
    if done.returncode or "PRIVATE KEY" in text or len(text.splitlines()) != 1:
        raise ConfigError(f"--key {key}: is not a public ssh key; name one, as id_ed25519.pub")
    return text


def _ssh_keygen(
    option: str, words: Sequence[str], content: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *words],
            input=content if content is not None else b"",
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"{option}: needs ssh-keygen, which is not installed; install OpenSSH 8.1 or later"
        ) from error


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
