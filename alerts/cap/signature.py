"""The city's signature on a message: enveloped XML-DSig over the whole `<alert>`, and its verification.

Promises RSA-SHA256 (from 2,048 bits) or ECDSA-SHA256, exclusive canonicalization, the certificate in KeyInfo;
a key that cannot be read, is too weak or is not its certificate's is refused when it is loaded. Verification
accepts only a signature over all of the document, and says whose it is: whether that one is to be trusted is
for the certificate that the verifier has got by another way. Reads the two files once.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from alerts.cap.document import DSIG, Element, read, text
from ingest.yaml_lines import ConfigError, Problem

LEAST_RSA_BITS = 2_048  # NIST SP 800-57: less was for data until 2013
_DS = f"{{{DSIG}}}"
_METHODS = frozenset(
    {SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512}
    | {SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512}
)
_EXPECTED = SignatureConfiguration(
    location="./",
    expect_references=1,
    signature_methods=_METHODS,
    digest_algorithms=frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}),
)


class Unverified(Exception):
    """The message is not what somebody signed; the text says why."""


@dataclass(frozen=True, slots=True)
class Signatory:
    """Whose signature it is: what the certificate calls itself, its SHA-256, and until when it holds.

    `trusted`: it is one of the certificates that the verifier trusts, or was issued by one.
    """

    name: str
    fingerprint: str
    until: datetime
    trusted: bool


class Signer:
    """Signs with one key. `until`: the end of its certificate, seconds since 1970."""

    def __init__(
        self, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, chain: list[x509.Certificate]
    ) -> None:
        self._key, self._chain = key, chain
        method = SignatureMethod.ECDSA_SHA256
        if isinstance(key, rsa.RSAPrivateKey):
            method = SignatureMethod.RSA_SHA256
        self._signer = XMLSigner(
            signature_algorithm=method,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        self.until = chain[0].not_valid_after_utc.timestamp()

    def sign(self, alert: Element) -> Element:
        """The message with the signature as its last child."""
        return self._signer.sign(alert, key=self._key, cert=self._chain)


def load_signer(key_file: Path, certificate_file: Path) -> Signer:
    """The signer of two PEM files, the certificate's own first where it brings a chain; `ConfigError`."""
    key = _key(key_file)
    chain = certificates(certificate_file)
    if _public(key) != _public(chain[0]):
        message = "The key is not that of the certificate."
        raise _refused(key_file, message, f"Name the key of the first certificate in {certificate_file}.")
    return Signer(key, chain)


def verify(data: bytes, trusted: Sequence[x509.Certificate] = ()) -> Signatory:
    """Who has signed the message; raises `Unverified` where nobody has signed all of it, `NotCap` where it is
    none."""
    alert = read(data)
    signatures = alert.findall(f".//{_DS}Signature")
    if not signatures:
        raise Unverified("it is not signed")
    if len(signatures) > 1 or signatures[0].getparent() is not alert:
        raise Unverified("its signature does not stand once, below alert")
    references = signatures[0].findall(f"{_DS}SignedInfo/{_DS}Reference")
    if [reference.get("URI") for reference in references] != [""]:
        raise Unverified("the signature is not over the whole message")
    signed_by = _embedded(signatures[0])
    _check(data, alert, signed_by)
    return Signatory(
        name=signed_by.subject.rfc4514_string(),
        fingerprint=signed_by.fingerprint(hashes.SHA256()).hex(),
        until=signed_by.not_valid_after_utc,
        trusted=_is_trusted(signed_by, trusted, _sent(alert)),
    )


def _check(data: bytes, alert: Element, signed_by: x509.Certificate) -> None:
    """The signature by that certificate's key, and that what it covers is all that the message says."""
    try:
        found = XMLVerifier().verify(data, x509_cert=signed_by, expect_config=_EXPECTED)
    except (SignXMLException, etree.LxmlError, ValueError) as error:
        raise Unverified(f"the signature does not hold: {error}") from None
    for signature in alert.findall(f"{_DS}Signature"):
        _take_out(signature)
    assert isinstance(found, VerifyResult)  # one reference is expected, and so one result
    if _canonical(found.signed_xml) != _canonical(alert):
        raise Unverified("the signature is not over all that the message says")


def _take_out(element: Element) -> None:
    """Remove an element and leave the text behind it."""
    parent, before = element.getparent(), element.getprevious()
    if element.tail and before is not None:
        before.tail = (before.tail or "") + element.tail
    parent.remove(element)


def _canonical(element: Element) -> bytes:
    found: bytes = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    return found


def _embedded(signature: Element) -> x509.Certificate:
    held = signature.findtext(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    if not held:
        raise Unverified("it does not bring the certificate of who has signed")
    try:
        return x509.load_der_x509_certificate(base64.b64decode(held))
    except ValueError as error:
        raise Unverified(f"its certificate cannot be read: {error}") from None


def _is_trusted(
    signed_by: x509.Certificate, trusted: Sequence[x509.Certificate], at: datetime | None
) -> bool:
    """Whether it is, or was issued by, one that is trusted, and held when the message says it was sent."""
    if at is None or not signed_by.not_valid_before_utc <= at <= signed_by.not_valid_after_utc:
        return False
    return any(one == signed_by or _issued(signed_by, one) for one in trusted)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):  # another issuer, or a key of a kind that signs nothing
        return False
    return True


def _sent(alert: Element) -> datetime | None:
    try:
        return datetime.fromisoformat(text(alert, "sent")).astimezone(UTC)
    except ValueError:
        return None


def _key(file: Path) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise _refused(file, f"The key cannot be read: {error.strerror}.", "Name a readable file.") from None
    except (ValueError, TypeError):
        message = "This is no private key in PEM without a password."
        raise _refused(file, message, "Write the key as PEM; its file's rights protect it.") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        message = f"The key has {key.key_size} bits."
        raise _refused(file, message, f"An RSA key has at least {LEAST_RSA_BITS} bits; make a new one.")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise _refused(file, "The key is neither RSA nor of an elliptic curve.", "Make one of these kinds.")
    return key


def certificates(file: Path) -> list[x509.Certificate]:
    """Every certificate of a PEM file, at least one; `ConfigError`."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        message = f"The certificate cannot be read: {error.strerror}."
        raise _refused(file, message, "Name a readable file.") from None
    except ValueError:
        message = "There is no certificate in PEM here."
        raise _refused(file, message, "Name the certificate's PEM file.") from None
    return found


def _public(owner: Any) -> bytes:
    key = owner.public_key()
    found: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def _refused(file: Path, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(str(file), None, message, remedy)])
