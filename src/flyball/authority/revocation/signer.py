"""How does a person or a site sign, and how are their keys written down?

A public key is `ed25519:` and its 32 bytes in base64url without padding (RFC 4648 5); a key file
is one line, `flyball-key NAME ` and the seed in the same form. A signature covers a label that
says what is signed, so that nothing signed for one end holds for another.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from flyball.signing.ed25519 import KEY_BYTES, SignatureError, check_key, verify

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PREFIX = "ed25519:"
_FILE_WORD = "flyball-key"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class KeyTextError(ValueError):
    """The text is no key; the message says why, and never shows the text."""


class Signer:
    """Signs under one name with one Ed25519 key."""

    def __init__(self, name: str, private: "Ed25519PrivateKey") -> None:
        if not _NAME.fullmatch(name):
            raise KeyTextError("a key's name has letters, digits, `.`, `_`, `-`, at most 63")
        self.name = name
        self.private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def new(cls, name: str) -> "Signer":
        """With a fresh key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Read a key file's line; KeyTextError if it is none."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        words = text.split()
        if len(words) != 3 or words[0] != _FILE_WORD:
            raise KeyTextError(f"a key file is one line, `{_FILE_WORD} NAME KEY`")
        return cls(words[1], Ed25519PrivateKey.from_private_bytes(_key_bytes(words[2])))

    def private_text(self) -> str:
        """The key file's line: keep it where nobody else reads."""
        return f"{_FILE_WORD} {self.name} {_PREFIX}{base64url(self.private.private_bytes_raw())}"

    def sign(self, label: str, message: bytes) -> str:
        """The signature over label, newline and message, as base64url."""
        return base64url(self.private.sign(_labelled(label, message)))

    def jwt(self, claims: dict[str, Any], typ: str) -> str:
        """A JWT by this key (EdDSA), `kid` being the name."""
        import jwt

        fields = {"typ": typ, "kid": self.name}
        return jwt.encode(claims, self.private, algorithm="EdDSA", headers=fields)


def key_text(public: bytes) -> str:
    """A public key as it stands in files."""
    return _PREFIX + base64url(public)


def read_key(text: str) -> bytes:
    """The public key in that text; KeyTextError if it is none, or a weak one."""
    public = _key_bytes(text)
    try:
        check_key(public)
    except SignatureError as error:
        raise KeyTextError(str(error)) from None
    return public


def check_signature(public: bytes, label: str, message: bytes, signature: str) -> None:
    """Raises SignatureError unless it holds."""
    verify(public, _decoded(signature, SignatureError), _labelled(label, message))


def base64url(data: bytes) -> str:
    """Without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def read_base64url(text: str) -> bytes:
    """The bytes of canonical unpadded base64url; KeyTextError for anything else."""
    return _decoded(text, KeyTextError)


def _labelled(label: str, message: bytes) -> bytes:
    return f"{label}\n".encode() + message


def _key_bytes(text: str) -> bytes:
    if not text.startswith(_PREFIX):
        raise KeyTextError(f"a key begins with {_PREFIX}")
    data = _decoded(text.removeprefix(_PREFIX), KeyTextError)
    if len(data) != KEY_BYTES:
        raise KeyTextError(f"a key has {KEY_BYTES} bytes, not {len(data)}")
    return data


def _decoded(text: str, fault: type[ValueError]) -> bytes:
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise fault("it is not base64url") from None
    if base64url(data) != text:
        raise fault("it is not base64url in its one right spelling")
    return data
