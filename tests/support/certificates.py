"""The gateways' certificates of a test, made by the project's own script."""

import ssl
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "certificates"


class Authority:
    """One certificate authority in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run("authority", "localhost")

    def gateway(self, identity: str) -> ssl.SSLContext:
        """The TLS side of a gateway with a fresh certificate in that name."""
        self._run("gateway", identity)
        return self.context(identity)

    def context(self, identity: str) -> ssl.SSLContext:
        """The same with the certificate it already has."""
        context = self.stranger()
        gateways = self.folder / "gateways"
        context.load_cert_chain(gateways / f"{identity}.crt", gateways / f"{identity}.key")
        return context

    def stranger(self) -> ssl.SSLContext:
        """TLS that trusts the broker and shows no certificate."""
        return ssl.create_default_context(cafile=self.folder / "ca.crt")

    def revoke(self, identity: str) -> None:
        """Put the gateway on the list of the refused."""
        self._run("revoke", identity)

    def _run(self, verb: str, name: str) -> None:
        subprocess.run([SCRIPT, verb, self.folder, name], check=True)
