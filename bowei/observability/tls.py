"""TLS of a process's own: where no proxy stands in front of it, or callers must show who they are.

At least TLS 1.2. Certificates are read at start: who renews them starts the processes anew.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bowei.observability.environment import Environment, WrongEnvironment


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: a certificate with its chain, its key, and the authorities whose certificates callers must show."""

    certificate: Path
    key: Path
    callers: Path | None = None
    """None: callers need no certificate."""

    def for_uvicorn(self) -> Mapping[str, object]:
        """Give what `uvicorn.run` is told."""
        told: dict[str, object] = {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}
        if self.callers is not None:
            told |= {"ssl_ca_certs": str(self.callers), "ssl_cert_reqs": ssl.CERT_REQUIRED}
        return told

    def to_itself(self) -> ssl.SSLContext:
        """Give how this machine asks the process: it knows the certificate, whatever name it is for, and shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # trusted itself, not whoever made it
        context.load_verify_locations(self.certificate)
        context.load_cert_chain(self.certificate, self.key)
        return context


def tls_from(environment: Environment) -> Tls | None:
    """Read the settings of TLS, and try them; None: plain HTTP.

    Raises:
        WrongEnvironment: one is missing, or the files can't be used.
    """
    certificate, key = environment.find_text("BOWEI_TLS_CERTIFICATE"), environment.find_text("BOWEI_TLS_KEY")
    callers = environment.find_text("BOWEI_TLS_CALLERS")
    if certificate is None or key is None:
        for name, value in {"BOWEI_TLS_CERTIFICATE": certificate, "BOWEI_TLS_KEY": key}.items():
            if value is None and (certificate or key or callers):
                raise WrongEnvironment(f"{name} is not set, and another setting of TLS is. Set both, or none.")
        return None
    tls = Tls(Path(certificate), Path(key), None if callers is None else Path(callers))
    trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        trial.load_cert_chain(tls.certificate, tls.key, password=_none)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise WrongEnvironment(
            "BOWEI_TLS_CERTIFICATE and BOWEI_TLS_KEY name no certificate in PEM with its key, without a pass phrase."
            " Check the files and their mode."
        ) from error
    if tls.callers is not None:
        try:
            trial.load_verify_locations(tls.callers)
        except (OSError, ValueError) as error:
            raise WrongEnvironment("BOWEI_TLS_CALLERS names no certificates in PEM. Check the file.") from error
    return tls


def _none() -> str:
    """Give no pass phrase, rather than ask for one at a terminal."""
    return ""
