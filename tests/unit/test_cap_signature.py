"""The city's signature: who verifies it, what it covers, and keys that are refused."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.verifier import XMLVerifier
from typer.testing import CliRunner

import huewatch
from alerts.cap import document
from alerts.cap.document import DSIG, NAMESPACE
from alerts.cap.schema import shape_faults
from alerts.cap.signature import Unverified, certificates, load_signer, verify
from ingest.yaml_lines import ConfigError
from tests.support.cap import Life, flood
from tests.support.parts import need_program

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def self_signed(key: Key, name: str, begin: datetime = BEGIN) -> x509.Certificate:
    return issued(key, name, key, name, begin)


def issued(key: Key, name: str, by: Key, issuer: str, begin: datetime = BEGIN) -> x509.Certificate:
    def called(common: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    builder = x509.CertificateBuilder().subject_name(called(name)).issuer_name(called(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=365))
    basic = x509.BasicConstraints(ca=name == issuer, path_length=None)
    return builder.add_extension(basic, critical=True).sign(by, hashes.SHA256())


@dataclass
class Pair:
    """A key and its certificate as files."""

    key: Path
    certificate: Path

    @classmethod
    def write(cls, folder: Path, name: str, key: Key, *chain: x509.Certificate) -> Pair:
        pair = cls(folder / f"{name}.key", folder / f"{name}.crt")
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        pair.certificate.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        return pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def city(folder: Path) -> Pair:
    key = rsa.generate_private_key(65_537, 2_048)
    return Pair.write(folder, "city", key, self_signed(key, "Huế IOC"))


@pytest.fixture(scope="module")
def curve(folder: Path) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    return Pair.write(folder, "curve", key, self_signed(key, "curve"))


def message() -> etree._Element:
    return document.laid_out(document.build(list(flood(Life()))[2]))


def signed(pair: Pair) -> bytes:
    return document.written(load_signer(pair.key, pair.certificate).sign(message()))


@pytest.fixture(params=["city", "curve"])
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.getfixturevalue(request.param)
    return found


def test_a_signed_message_is_verified_and_still_valid(pair: Pair) -> None:
    data = signed(pair)
    found = verify(data, certificates(pair.certificate))
    assert found.trusted
    assert shape_faults(document.read(data)) == []
    signature = document.read(data)[-1]
    assert signature.tag == f"{{{DSIG}}}Signature"
    methods = {one.get("Algorithm") for one in signature.iter() if one.get("Algorithm")}
    assert "http://www.w3.org/2001/10/xml-exc-c14n#" in methods
    assert not any("sha1" in method for method in methods)


def test_signxml_agrees(pair: Pair) -> None:
    (certificate,) = certificates(pair.certificate)
    result = XMLVerifier().verify(signed(pair), x509_cert=certificate)
    assert document.text(result.signed_xml, "identifier")


def test_xmlsec_agrees(pair: Pair, tmp_path: Path) -> None:
    program = need_program("xmlsec1", "xmlsec1")
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    good.write_bytes(signed(pair))
    bad.write_bytes(signed(pair).replace(b"3,58 m", b"3,28 m"))
    asked = [program, "--verify", "--enabled-key-data", "x509", "--trusted-pem", str(pair.certificate)]
    asked += ["--verification-gmt-time", "2025-10-27 09:00:00"]
    codes = [
        subprocess.run([*asked, file], capture_output=True, check=False).returncode for file in (good, bad)
    ]
    assert (codes[0], codes[1] != 0) == (0, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"3,58 m", b"3,28 m"),
        (b"<severity>Severe<", b"<severity>Minor<"),
        (b"Restricted", b"Public"),
        (b"</alert>", b"<info/></alert>"),
        (b"<incidents>", b"<incidents >x"),
    ],
)
def test_whatever_is_changed_is_found(city: Pair, old: bytes, new: bytes) -> None:
    data = signed(city)
    assert old in data
    with pytest.raises(Unverified):
        verify(data.replace(old, new), certificates(city.certificate))


def test_a_wrapped_message_is_not_verified(city: Pair) -> None:
    """The true message inside another one that says something else."""
    inner = document.read(signed(city))
    outer = message()
    document.children(outer, "status")[0].text = "Actual"
    outer.append(inner)
    with pytest.raises(Unverified, match="below alert"):
        verify(document.written(outer))
    signature = inner.find(f"{{{DSIG}}}Signature")
    assert signature is not None
    outer.append(signature)
    signature.find(f".//{{{DSIG}}}Reference").set("URI", "#inner")
    with pytest.raises(Unverified, match="not over the whole message"):
        verify(document.written(outer))


def test_without_a_signature_or_a_certificate_nothing_is_verified(city: Pair) -> None:
    with pytest.raises(Unverified, match="not signed"):
        verify(document.written(message()))
    bare = document.read(signed(city))
    info = bare.find(f".//{{{DSIG}}}KeyInfo")
    info.getparent().remove(info)
    with pytest.raises(Unverified, match="certificate"):
        verify(document.written(bare))


def test_who_signs_is_known_by_the_certificate_or_by_its_authority_alone(folder: Path, city: Pair) -> None:
    authority, key = (rsa.generate_private_key(65_537, 2_048) for _ in range(2))
    root = self_signed(authority, "Authority")
    leaf = Pair.write(folder, "leaf", key, issued(key, "Huế IOC", authority, "Authority"))
    data = signed(leaf)
    assert verify(data, [root]).trusted
    assert not verify(data, certificates(city.certificate)).trusted
    assert not verify(data).trusted
    late = issued(key, "Huế IOC", authority, "Authority", datetime(2025, 11, 1, tzinfo=UTC))
    assert not verify(signed(Pair.write(folder, "late", key, late)), [root]).trusted


def test_a_key_that_cannot_be_used_is_refused_with_a_remedy(folder: Path, city: Pair, curve: Pair) -> None:
    weak = rsa.generate_private_key(65_537, 1_024)
    short = Pair.write(folder, "weak", weak, self_signed(weak, "weak"))
    noise = folder / "noise"
    noise.write_text("no key")
    cases = [
        (city.key, curve.certificate, "not that of the certificate"),
        (noise, city.certificate, "no private key in PEM"),
        (folder / "missing", city.certificate, "cannot be read"),
        (city.key, noise, "no certificate in PEM"),
        (city.key, folder / "missing", "cannot be read"),
        (short.key, short.certificate, "1024 bits"),
    ]
    for key, certificate, says in cases:
        with pytest.raises(ConfigError) as refused:
            load_signer(key, certificate)
        (problem,) = refused.value.problems
        assert says in problem.message
        assert problem.remedy


# -- the command line


def run(*words: str, data: bytes | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(huewatch.app, ["cap", *words], input=data)
    return done.exit_code, done.output


def test_agencies_verify_on_the_command_line(city: Pair, curve: Pair, tmp_path: Path) -> None:
    file = tmp_path / "message.xml"
    file.write_bytes(signed(city))
    code, said = run("verify", str(file), "--certificate", str(city.certificate))
    assert (code, "Verified: the certificate vouches for it." in said) == (0, True)
    assert "Signed by CN=Huế IOC" in said
    code, said = run("verify", str(file))
    assert (code, "Who has signed is not known here" in said) == (0, True)
    code, said = run("verify", str(file), "--certificate", str(curve.certificate))
    assert (code, "does not vouch" in said) == (1, True)
    code, said = run("verify", "-", data=signed(city).replace(b"3,58", b"3,28"))
    assert (code, "Not verified: the signature does not hold" in said) == (1, True)
    code, said = run("verify", str(tmp_path / "nothing"))
    assert (code, "cannot be read" in said) == (1, True)


def test_agencies_validate_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "message.xml"
    file.write_bytes(document.written(message()))
    assert run("validate", str(file)) == (0, "0 errors, 0 warnings.\n")
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("<web>", "<!-- ").replace("</web>", " -->").replace("Severe<", "Bad<", 1), "utf-8"
    )
    code, said = run("validate", str(file))
    assert code == 1
    assert "error: line 19: Element severity failed to validate content [shape]" in said
    assert "[web_missing]" in said
    assert said.endswith("4 errors, 0 warnings.\n")
    code, said = run("validate", "-", data=b"<alert/>")
    assert (code, "It is no CAP 1.2 message" in said) == (1, True)
    assert NAMESPACE in said
