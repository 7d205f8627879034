"""One call against one server: prepared, made, and everything that it may have left behind looked for."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from interservice.faultserver import FaultServer
from interservice.outbound import Backoff, ServiceAdapter


def certificate(path: Path, *names: str) -> Path:
    """A key and a certificate of its own authority for these names and 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    first, last = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2120, 1, 1, tzinfo=dt.UTC)
    subjects: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    subjects += [x509.DNSName(each) for each in names]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), first, last)
        .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def server_tls(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class Recovering(Backoff):
    """No pauses; before the first one the fault is mended."""

    def __init__(self, mend: Any) -> None:
        super().__init__(base=0.0, cap=0.0)
        object.__setattr__(self, "mend", mend)

    def delays(self, random: Random) -> Iterator[float]:
        vars(self)["mend"]()
        return super().delays(random)


@contextlib.contextmanager
def tarpit(port: int) -> Iterator[None]:
    """A port that takes no connection and refuses none: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield


def open_files() -> int:
    kernels = Path("/proc/self/fd")
    return len(list(kernels.iterdir())) if kernels.is_dir() else 0


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """No socket and no thread more than before, once the server's own have ended.

    Threads that other tests of this process have left behind open files and close them again, so a count may take a moment to
    come down; what is leaked never does, and a socket that only the collector closes is a ResourceWarning, which fails.
    """
    files, threads = open_files(), threading.active_count()
    yield
    wait_for_threads("fault-server")
    assert comes_down(threading.active_count, threads)
    assert comes_down(open_files, files)


def comes_down(count: Callable[[], int], most: int) -> bool:
    """Whether a count is at most `most`, or is so within some seconds."""
    pause = threading.Event()
    for _ in range(200):
        if count() <= most:
            return True
        gc.collect()
        pause.wait(0.02)
    return False


def wait_for_threads(prefix: str) -> None:
    for thread in threading.enumerate():
        if thread.name.startswith(prefix):
            thread.join(10.0)


def session_for(adapter: ServiceAdapter) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http", "https"):
        session.mount(f"{scheme}://", adapter)
    return session


def nothing_held(adapter: ServiceAdapter) -> bool:
    """Whether no call is counted as under way: at endpoints, in bulkheads, in circuits."""
    slots = [to.slots.in_flight for to in adapter._destinations._by_origin.values() if to.slots is not None]
    return adapter.snapshot()["in_flight"] == 0 and not any(slots)


class Mending:
    """What has to be undone for a server to answer again."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.stack = contextlib.ExitStack()
        self.gone = False

    def refuse(self) -> None:
        self.server.refuse()
        wait_for_threads("fault-server-")  # each resets its connection
        self.gone = True

    def tarpit(self) -> None:
        self.refuse()
        self.stack.enter_context(tarpit(self.server.port))

    def mend(self) -> None:
        self.stack.close()
        if self.gone:
            self.gone = False
            self.server.start()
