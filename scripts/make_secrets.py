"""Make the secrets of docker-compose.yml: `python3 scripts/make_secrets.py AUTHORITY_FOLDER secrets`.

Random passwords, the broker's password file, an empty folder for what receivers need, and the broker's four
files from the folder of `scripts/certificates`. What exists is kept, so running it again changes nothing;
delete a file to renew it. The folder is for its owner alone; the files in it can be read by any user, because
each container's own user has to read those that are mounted for it.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ingest.broker_config import password_file  # noqa: E402 -- found only beside this script

ACCOUNTS = ("ingest", "feed", "ioc", "chirpstack", "health")
RECEIVERS = "receivers"
CERTIFICATES = ("ca.crt", "gateways.crl", "broker.crt", "broker.key")


def main(arguments: list[str]) -> int:
    """Write what is missing; 0, or 2 when told wrongly."""
    if len(arguments) != 2 or not (authority := Path(arguments[0])).is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[1])
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / RECEIVERS).mkdir(exist_ok=True)  # filled by hand; the container's own user enters it
    for name in CERTIFICATES:
        _write(folder / name, (authority / name).read_text(), replace=True)
    accounts = {user: _password(folder / f"mqtt_{user}") for user in ACCOUNTS}
    _write(folder / "mosquitto.passwd", password_file(accounts, secrets.token_bytes(12)), replace=True)
    _password(folder / "grafana_password")
    password = _password(folder / "postgres_password")
    _write(folder / "database_url", f"postgresql://huewatch:{password}@timescaledb:5432/huewatch\n")
    print(f"{folder} is ready; accounts at the broker: {', '.join(ACCOUNTS)}")
    return 0


def _password(path: Path) -> str:
    _write(path, secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


def _write(path: Path, text: str, *, replace: bool = False) -> None:
    """Write in place, never anew: a container has the file itself mounted, not its name."""
    if path.exists() and not replace:
        return
    path.touch(mode=0o644)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
