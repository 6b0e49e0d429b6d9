"""Where settings come from, which one wins, and what is refused rather than guessed."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ingest.model import Nature
from ingest.settings import MASK, Settings, in_force, load_settings, mask, require_services
from ingest.yaml_lines import ConfigError

URL = "postgresql://huewatch:s3cret@db.example:5432/huewatch"


def refusal(
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(flags, file, environ or {})
    return str(caught.value)


def toml(folder: Path, text: str) -> Path:
    path = folder / "huewatch.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_hold() -> None:
    settings = load_settings(environ={}).settings
    assert settings.database_url is None
    assert settings.client_id == "huewatch-ingest-hue"
    assert settings.receive_maximum == 8_000
    assert settings.max_skew == 300.0


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = toml(tmp_path, "feed_port = 1001\nmetrics_port = 1001\nbroker_port = 1001\n")
    environ = {"HUEWATCH_FEED_PORT": "1002", "HUEWATCH_METRICS_PORT": "1002"}
    loaded = load_settings({"feed_port": 1003, "keepalive": None}, file, environ)
    settings = loaded.settings
    ports = (settings.broker_port, settings.metrics_port, settings.feed_port, settings.keepalive)
    assert ports == (1001, 1002, 1003, 30)
    assert loaded.origins == {
        "broker_port": f"{file}:3",
        "metrics_port": "HUEWATCH_METRICS_PORT",
        "feed_port": "--feed-port",
    }


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file = toml(tmp_path, 'nature = "Exercise"\nmax_skew = "2min"\n')
    settings = load_settings(environ={"HUEWATCH_SETTINGS": str(file)}).settings
    assert (settings.nature, settings.max_skew) == (Nature.EXERCISE, 120.0)


def test_the_client_id_follows_the_partition_unless_given() -> None:
    assert load_settings({"partition": "north"}, environ={}).settings.client_id == "huewatch-ingest-north"
    given = load_settings({"partition": "north", "client_id": "mine"}, environ={})
    assert given.settings.client_id == "mine"


def test_a_secret_is_read_from_the_file_that_its_variable_names(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n", encoding="utf-8")
    loaded = load_settings(environ={"HUEWATCH_BROKER_PASSWORD_FILE": str(secret)})
    assert loaded.settings.broker_password is not None
    assert loaded.settings.broker_password.get_secret_value() == "s3cret"
    assert loaded.origins["broker_password"] == "HUEWATCH_BROKER_PASSWORD_FILE"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    environ = {"HUEWATCH_BROKER_PASSWORD": "a", "HUEWATCH_BROKER_PASSWORD_FILE": str(tmp_path / "b")}
    assert "are both set" in refusal(environ)


def test_a_secret_file_that_is_missing_is_refused_without_a_guess(tmp_path: Path) -> None:
    assert "HUEWATCH_DATABASE_URL_FILE cannot be read" in refusal(
        {"HUEWATCH_DATABASE_URL_FILE": str(tmp_path / "none")}
    )


def test_an_unknown_variable_is_refused_with_the_nearest_known_one() -> None:
    message = refusal({"HUEWATCH_DATABSE_URL": URL})
    assert "HUEWATCH_DATABSE_URL is not known" in message
    assert "Write `HUEWATCH_DATABASE_URL` instead" in message
    assert "s3cret" not in message


def test_an_unknown_key_of_the_file_is_refused_at_its_line(tmp_path: Path) -> None:
    file = toml(tmp_path, "# ports\n\nfeed_prot = 80\n[broker]\nhost = 'x'\n")
    message = refusal(file=file)
    assert f"{file}:3: Setting 'feed_prot' is not known. Remedy: Write `feed_port` instead." in message
    assert f"{file}:4: Setting 'broker' is not known." in message


def test_the_test_suites_own_variables_are_passed_over() -> None:
    assert load_settings(environ={"HUEWATCH_TEST_X": "1", "PATH": "/bin"}).origins == {}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HUEWATCH_FEED_PORT", "0"),
        ("HUEWATCH_FEED_PORT", "65536"),
        ("HUEWATCH_FEED_PORT", "http"),
        ("HUEWATCH_RECEIVE_MAXIMUM", "65535"),
        ("HUEWATCH_MAX_AGE_DAYS", "nan"),
        ("HUEWATCH_MAX_AGE_DAYS", "inf"),
        ("HUEWATCH_MAX_AGE_DAYS", "-1"),
        ("HUEWATCH_MAX_AGE_DAYS", "1e9"),
        ("HUEWATCH_MAX_SKEW", "300"),
        ("HUEWATCH_MAX_SKEW", "2d"),
        ("HUEWATCH_NATURE", "Real"),
        ("HUEWATCH_PARTITION", "a/b"),
        ("HUEWATCH_BROKER_HOST", ""),
        ("HUEWATCH_DATABASE_URL", ""),
        ("HUEWATCH_ACCEPT_DATA_LOSS", "perhaps"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_its_variables_name(variable: str, value: str) -> None:
    problems = refusal({variable: value}).splitlines()
    assert len(problems) == 1
    assert problems[0].startswith(f"{variable}: ")


@pytest.mark.parametrize("name", ["CONFIG_DIR", "EMBEDDED", "BROKER_CA_FILE", "BROKER_USERNAME", "NATURE"])
def test_an_empty_variable_is_refused_and_never_the_present_folder(name: str) -> None:
    assert refusal({f"HUEWATCH_{name}": ""}).startswith(f"HUEWATCH_{name}: {name.lower()}: is empty")


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - {"accept_data_loss", "feed_https"}))
def test_a_boolean_of_the_file_is_no_other_value(tmp_path: Path, name: str) -> None:
    file = toml(tmp_path, f"{name} = true\n")
    assert refusal(file=file).startswith(f"{file}:1: {name}: is true or false")


def test_a_boolean_setting_takes_a_boolean(tmp_path: Path) -> None:
    assert load_settings(
        file=toml(tmp_path, "accept_data_loss = true\n"), environ={}
    ).settings.accept_data_loss


@pytest.mark.parametrize("url", ["s3cret", "postgresql://s3cret@[db/x", "host=db passwort=s3cret"])
def test_a_database_url_that_cannot_be_read_is_refused_and_not_repeated(url: str) -> None:
    message = refusal({"HUEWATCH_DATABASE_URL": url})
    assert message.startswith("HUEWATCH_DATABASE_URL: database_url: is neither postgresql://")
    assert "s3cret" not in message


def test_a_key_without_its_certificate_is_refused() -> None:
    assert "without broker_cert_file" in refusal({"HUEWATCH_BROKER_KEY_FILE": "key.pem"})
    both = {"HUEWATCH_BROKER_KEY_FILE": "key.pem", "HUEWATCH_BROKER_CERT_FILE": "cert.pem"}
    assert load_settings(environ=both).settings.broker_key_file == Path("key.pem")


@pytest.mark.parametrize("text", ["feed_port = ", "feed_port = 1\nfeed_port = 2\n"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    assert "Cannot be read" in refusal(file=toml(tmp_path, text))


def test_a_named_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    assert "Cannot be read" in refusal(file=tmp_path / "none.toml")


def test_what_is_in_force_shows_every_setting_and_no_secret() -> None:
    environ = {"HUEWATCH_DATABASE_URL": URL, "HUEWATCH_BROKER_PASSWORD": "hunter2"}
    rows = list(in_force(load_settings({"feed_port": 9000}, environ=environ)))
    assert [name for name, _, _ in rows] == list(Settings.model_fields)
    shown = {name: (value, origin) for name, value, origin in rows}
    assert shown["database_url"] == (
        f"postgresql://huewatch:{MASK}@db.example:5432/huewatch",
        "HUEWATCH_DATABASE_URL",
    )
    assert shown["broker_password"] == (MASK, "HUEWATCH_BROKER_PASSWORD")
    assert shown["feed_port"] == ("9000", "--feed-port")
    assert shown["keepalive"] == ("30", "default")
    assert "s3cret" not in repr(rows)
    assert "hunter2" not in repr(rows)


@pytest.mark.parametrize(
    "secret",
    [
        "host=db password=s3cret",
        "postgresql://db/huewatch?password=s3cret",
        "postgresql://u:s3cret@db:port/x",
        "postgresql://u:s3cret@[db/x",
        "postgresql:///huewatch?user=u&password=s3cret",
        "s3cret",
    ],
)
def test_a_secret_of_another_shape_is_hidden_whole(secret: str) -> None:
    assert mask(secret) == MASK


def test_an_error_never_shows_the_secret() -> None:
    assert "s3cret" not in refusal({"HUEWATCH_DATABASE_URL": URL, "HUEWATCH_FEED_PORT": "x"})
    assert "s3cret" not in repr(load_settings(environ={"HUEWATCH_DATABASE_URL": URL}).settings)


@pytest.mark.parametrize(
    "environ",
    [{}, {"HUEWATCH_DATABASE_URL": URL}, {"HUEWATCH_BROKER_HOST": "broker"}],
)
def test_services_are_refused_when_one_variable_is_missing(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        require_services(load_settings(environ=environ).settings)
    message = str(caught.value)
    for name in ("HUEWATCH_DATABASE_URL", "HUEWATCH_BROKER_HOST", "--embedded DIR"):
        assert name in message


@pytest.mark.parametrize(
    ("name", "value"), [("HUEWATCH_DATABASE_URL", URL), ("HUEWATCH_BROKER_HOST", "broker")]
)
def test_embedded_services_never_stand_in_for_half_a_city(tmp_path: Path, name: str, value: str) -> None:
    settings = load_settings({"embedded": tmp_path}, environ={name: value}).settings
    with pytest.raises(ConfigError, match=f"together, but {name} is set too"):
        require_services(settings)


def test_both_services_or_embedded_alone_are_accepted(tmp_path: Path) -> None:
    both = {"HUEWATCH_DATABASE_URL": URL, "HUEWATCH_BROKER_HOST": "broker"}
    require_services(load_settings(environ=both).settings)
    require_services(load_settings({"embedded": tmp_path}, environ={}).settings)
