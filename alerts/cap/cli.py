"""`huewatch cap`: for agencies that receive messages, ours or anybody's. Needs no database and no broker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from alerts.cap.document import MOST_BYTES, NotCap, read
from alerts.cap.lint import lint
from alerts.cap.schema import shape_faults
from ingest.cli_support import problems_reported

FETCH_S = 20.0
Source = Annotated[str, typer.Argument(help="A file, the URL of a message, or - for standard input.")]
Token = Annotated[
    Path | None, typer.Option(help="File with the feed's bearer token, for a URL.", exists=True)
]

cap_app = typer.Typer(no_args_is_help=True, help="CAP messages: judge and verify them.")


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(cap_app, name="cap")


@cap_app.command("validate")
def validate(source: Source, token_file: Token = None) -> None:
    """Judge a message by the shape of CAP 1.2, and by what receivers complain of.

    Exit code 1 for errors; warnings alone leave it 0. Example: huewatch cap validate message.xml
    """
    try:
        alert = read(_bytes(source, token_file))
    except NotCap as error:
        _refuse(f"It is no CAP 1.2 message: {error}.")
    shape = shape_faults(alert)
    faults = lint(alert)
    for words in shape:
        typer.secho(f"error: {_plain(words)} [shape]", fg="red")
    for fault in faults:
        word, colour = ("warning", "yellow") if fault.warning else ("error", "red")
        typer.secho(f"{word}: {_plain(str(fault))}", fg=colour)
    wrong = len(shape) + sum(not fault.warning for fault in faults)
    typer.echo(f"{wrong} errors, {len(shape) + len(faults) - wrong} warnings.")
    raise typer.Exit(1 if wrong else 0)


@cap_app.command("verify")
def verify_signature(
    source: Source,
    certificate: Annotated[
        Path | None,
        typer.Option(help="PEM of who may sign, or of their authority, got by another way.", exists=True),
    ] = None,
    token_file: Token = None,
) -> None:
    """Check the signature of a message: that all of it is as it was signed, and by whom.

    Exit code 1 when it is not signed, was changed, or --certificate does not vouch for the signatory.
    Example: huewatch cap verify message.xml --certificate city.crt
    """
    from alerts.cap.signature import Unverified, certificates, verify  # no other command pays for its start

    with problems_reported():
        trusted = certificates(certificate) if certificate else []
    try:
        found = verify(_bytes(source, token_file), trusted)
    except (NotCap, Unverified) as error:
        _refuse(f"Not verified: {_plain(str(error))}.")
    typer.echo(f"Signed by {_plain(found.name)}, valid until {found.until:%Y-%m-%d}.")
    typer.echo(f"SHA-256 of the certificate: {found.fingerprint}")
    if certificate is None:
        typer.echo("The message is as it was signed. Who has signed is not known here: give --certificate.")
    elif found.trusted:
        typer.secho("Verified: the certificate vouches for it.", fg="green")
    else:
        _refuse(f"Not verified: {certificate} does not vouch for this signatory at the time of sending.")


def _bytes(source: str, token_file: Path | None) -> bytes:
    """What is to be read, one byte beyond the most at most."""
    if source == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        if source.startswith(("http://", "https://")):
            return _fetched(source, token_file)
        with Path(source).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        _refuse(f"{_plain(source)} cannot be read: {error}.")


def _fetched(url: str, token_file: Path | None) -> bytes:
    """The body of an answer, or `OSError`. No redirect is followed: the token is for one address."""
    import httpx  # no other command pays for its start

    body, headers = b"", {}
    if token_file is not None:
        headers["Authorization"] = f"Bearer {token_file.read_text(encoding='utf-8').strip()}"
    try:
        with httpx.stream("GET", url, headers=headers, timeout=FETCH_S) as response:
            response.raise_for_status()
            for part in response.iter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    break
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(str(error)) from error
    return body


def _plain(text: str) -> str:
    """Foreign text for a terminal: no control or direction sign can act."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _refuse(words: str) -> NoReturn:
    typer.secho(words, fg="red", err=True)
    raise typer.Exit(1)
