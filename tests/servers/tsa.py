"""A real RFC 3161 authority, made with `openssl ts`; it signs too much when a test says so."""

import subprocess
import threading
from pathlib import Path
from typing import Final

_CONFIG: Final = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
_MAY_STAMP: Final = "extendedKeyUsage=critical,timeStamping"
_TSTINFO: Final = "1.2.840.113549.1.9.16.1.4"


class Authority:
    """A root, and a key that it lets stamp; `web` is a key of the same root that may not."""

    def __init__(self, folder: Path, *, name: str = "Test stamps") -> None:
        self.folder, self._lock = folder, threading.Lock()
        folder.mkdir()
        self._key("root")
        self._openssl(
            "req", "-x509", "-key", "root.key", "-subj", f"/CN={name} root", "-days", "2",
            "-out", "root.pem",
        )  # fmt: skip
        self.issue("tsa", subject=f"/CN={name}", extension=_MAY_STAMP, serial=17)
        self.issue("web", subject="/CN=web", extension="extendedKeyUsage=serverAuth", serial=18)
        (folder / "serial").write_text("01")
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))

    @property
    def roots(self) -> Path:
        return self.folder / "root.pem"

    def issue(self, name: str, *, subject: str, extension: str, serial: int) -> None:
        """A certificate of the root's for a new key."""
        self._key(name)
        self._openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", "new.csr")
        (self.folder / "ext.cnf").write_text(extension)
        self._openssl(
            "x509", "-req", "-in", "new.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-set_serial", str(serial), "-days", "2", "-extfile", "ext.cnf", "-out", f"{name}.pem",
        )  # fmt: skip

    def reply(self, query: bytes) -> bytes:
        """The honest answer to a query."""
        with self._lock:
            (self.folder / "query.der").write_bytes(query)
            self._openssl(
                "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query.der",
                "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply.der",
            )  # fmt: skip
            return (self.folder / "reply.der").read_bytes()

    def reply_as(self, query: bytes, *, signer: str, beside: str | None = None) -> bytes:
        """The same statement, signed by a key that may not; with the certificate `beside`, too."""
        self.reply(query)
        self._openssl("ts", "-reply", "-in", "reply.der", "-token_out", "-out", "token.der")
        self._openssl(
            "cms", "-verify", "-noverify", "-inform", "DER", "-in", "token.der", "-out", "info.der"
        )
        more = [] if beside is None else ["-certfile", f"{beside}.pem"]
        self._openssl(
            "cms", "-sign", "-binary", "-nodetach", "-in", "info.der", "-outform", "DER",
            "-econtent_type", _TSTINFO, "-md", "sha256", "-signer", f"{signer}.pem",
            "-inkey", f"{signer}.key", *more, "-out", "token.der",
        )  # fmt: skip
        token = (self.folder / "token.der").read_bytes()
        return _sequence(_sequence(b"\x02\x01\x00") + token)

    def verifies(self, token: bytes, text: bytes) -> bool:
        """What `openssl ts -verify` says of a stored token over `text`."""
        (self.folder / "stored.der").write_bytes(token)
        (self.folder / "text").write_bytes(text)
        run = subprocess.run(
            ["openssl", "ts", "-verify", "-token_in", "-in", "stored.der", "-data", "text",
             "-CAfile", "root.pem"],
            cwd=self.folder, capture_output=True, check=False,
        )  # fmt: skip
        return run.returncode == 0

    def _key(self, name: str) -> None:
        self._openssl(
            "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
            f"{name}.key",
        )  # fmt: skip

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, check=True)


def _sequence(content: bytes) -> bytes:
    """DER; longer than 255 bytes or shorter than 128."""
    if len(content) < 128:
        return bytes([0x30, len(content)]) + content
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content
