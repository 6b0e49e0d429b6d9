"""The derived broker configuration is production's, line by line, but for what has to differ."""

import base64
from pathlib import Path

import pytest

from ingest.broker_config import EXERCISE_RULES, PATHS, Place, derive, password_file, production

FOLDER = Path("/somewhere/mosquitto")
WHOLE = Place(FOLDER, "somebody", services=2001, gateways=2002)
SERVICES = Place(FOLDER, "somebody", services=2001)
MAY_DIFFER = PATHS | {"listener", "user"}

# What production must hold whatever else changes: losing one of these lines loses readings or opens a door.
HELD = {
    "persistence true",
    "max_packet_size 65536",
    "max_queued_messages 200000",
    "persistent_client_expiration 14d",
    "per_listener_settings true",
    "require_certificate true",
    "use_identity_as_username true",
    "use_username_as_clientid true",
    "max_qos 1",
    "tls_version tlsv1.2",
}


def options(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_derived_lines_differ_only_in_listener_certificates_paths_and_user() -> None:
    ours = production("mosquitto.conf").splitlines()
    derived = derive(production("mosquitto.conf"), WHOLE).splitlines()
    differing = {a.split()[0] for a, b in zip(ours, derived, strict=True) if a != b}
    assert differing == MAY_DIFFER
    assert all(a.split()[0] == b.split()[0] for a, b in zip(ours, derived, strict=True) if a and b)


def test_without_gateways_exactly_their_section_is_left_out() -> None:
    whole, services = (
        derive(production("mosquitto.conf"), WHOLE),
        derive(production("mosquitto.conf"), SERVICES),
    )
    assert whole.startswith(services)
    assert options(whole.removeprefix(services))[0] == "listener 2002 127.0.0.1"


def test_derived_configuration_listens_on_loopback_only() -> None:
    listeners = [line for line in options(derive(production("mosquitto.conf"), WHOLE)) if "listener " in line]
    assert listeners == ["listener 2001 127.0.0.1", "listener 2002 127.0.0.1"]


def test_derived_paths_all_lie_in_the_folder() -> None:
    for line in options(derive(production("mosquitto.conf"), WHOLE)):
        key, _, value = line.partition(" ")
        assert key not in PATHS or value.startswith(f"{FOLDER}/"), line


@pytest.mark.parametrize("line", sorted(HELD))
def test_production_holds(line: str) -> None:
    assert line in options(production("mosquitto.conf"))


def test_no_listener_of_production_lets_anybody_in() -> None:
    lines = options(production("mosquitto.conf"))
    listeners = sum(line.startswith("listener ") for line in lines)
    assert lines.count("allow_anonymous false") == listeners == 2
    assert sum(line.startswith("acl_file ") for line in lines) == listeners
    assert "allow_anonymous true" not in lines


def test_deprecated_options_stand_only_in_marked_blocks() -> None:
    blocks = production("mosquitto.conf").split("\n\n")
    for block in blocks:
        before, _, marked = block.partition("# 2.0\n")
        if "deprecates" not in block:
            assert not {line.split()[0] for line in options(before)} & {
                "per_listener_settings",
                "acl_file",
                "password_file",
                "allow_anonymous",
            }
        assert all(len(line.split()) == 2 for line in options(marked))


def test_nobody_may_use_every_topic() -> None:
    for name in ("services.acl", "gateways.acl"):
        rules = options(production(name))
        assert rules
        assert not any(rule.split()[-1] in {"#", "+/#", "$SYS/#"} for rule in rules)


def test_production_knows_nothing_of_exercises() -> None:
    assert "user simulator" in EXERCISE_RULES
    for name in ("services.acl", "gateways.acl", "mosquitto.conf"):
        assert "simulator" not in production(name)
        assert "huewatch/tick" not in production(name)
        assert "exercise" not in production(name)


def test_top_level_file_is_the_packaged_one() -> None:
    top = Path(__file__).parents[2] / "mosquitto.conf"
    assert top.read_text(encoding="utf-8") == production("mosquitto.conf")


def test_passwords_are_hashed_as_mosquitto_passwd_does() -> None:
    # `mosquitto_passwd -b FILE u secret` of 2.0.11 wrote this line.
    line = (
        "u:$7$101$yRVsjBj9BFER/mGH$pFr6/qG8JdLFGh/C2/oqMAEeAuoAwd85Bc"
        "Nk07Ea3+zF1PvMYEgKrxn6bqZwvBQLV4GqK8Gnz+zsZ8StEC7uUg=="
    )
    salt = base64.b64decode(line.split("$")[3])
    assert password_file({"u": "secret"}, salt) == line + "\n"
