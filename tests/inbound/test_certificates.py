"""Certificates as servers and proxies write them: read to the letter, or a ValueError."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.inbound import certificates

from .certs import certificate

ONE, OTHER = certificate("one"), certificate("other")
NGINX = ONE.pem.strip().replace("\n", "\n\t")
READERS: Any = [
    certificates.client_cert,
    certificates.escaped_pem,
    certificates.forwarded_client_cert,
    certificates.shown,
]


@pytest.mark.parametrize("given_as", [ONE.der, ONE.pem, ONE.pem.strip(), NGINX, f"\n{ONE.pem}\n"], ids=range(5))
def test_certificate_of_the_server_is_read(given_as: bytes | str) -> None:
    assert certificates.shown(given_as) == ONE.thumbprint


def test_certificate_of_every_header_is_read() -> None:
    assert certificates.client_cert(ONE.field) == ONE.thumbprint
    assert certificates.escaped_pem(ONE.escaped) == ONE.thumbprint


@pytest.mark.parametrize(
    "value",
    [
        f"Hash={ONE.hash}",
        f"hash={ONE.hash.upper()}",
        f'By=spiffe://a/b;Hash={ONE.hash};Subject="CN=\\"x\\", O=y;z";URI=spiffe://c/d;DNS=a.test;DNS=b.test',
        f'Cert="{ONE.escaped}"',
        f'Hash={ONE.hash};Cert="{ONE.escaped}";Chain="{ONE.escaped}{OTHER.escaped}"',
        f'By="";Hash={ONE.hash};URI=',
    ],
    ids=range(6),
)
def test_envoys_element_is_read(value: str) -> None:
    assert certificates.forwarded_client_cert(value) == ONE.thumbprint
    assert certificates.forwarded_client_cert(f"Hash={OTHER.hash};By=x, {value}", several=True) == ONE.thumbprint


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        ";",
        "x",
        "Hash",
        "Hash=",
        "Hash=00",
        f"Hash={ONE.hash}0",
        f"Hash={ONE.hash[:-1]}g",
        f"Hash={ONE.hash};",
        f"Hash={ONE.hash},",
        f"Hash={ONE.hash};Hash={ONE.hash}",
        f"Hash={ONE.hash};hash={OTHER.hash}",
        f"Hash={ONE.hash} ;By=x",
        f" Hash={ONE.hash}",
        f'Hash="{ONE.hash}',
        f'Hash={ONE.hash};Subject="CN=x',
        f'Subject="CN=x\\";Hash={ONE.hash}',
        f"URI=spiffe://a=b;Hash={ONE.hash}",
        f'Hash={ONE.hash};Cert="{OTHER.escaped}"',
        f'Hash={ONE.hash};Cert="junk"',
        "By=x;URI=y",
        f"=x;Hash={ONE.hash}",
        f"Hash={ONE.hash}\0",
        f"Hash={ONE.hash}\n",
        f'Hash={ONE.hash};Subject="' + "x" * 70000 + '"',
    ],
    ids=range(26),
)
def test_element_that_is_not_to_the_letter_is_refused(value: str) -> None:
    for several in (False, True):
        with pytest.raises(ValueError):
            certificates.forwarded_client_cert(value, several=several)


@pytest.mark.parametrize("joint", [",", ", "])
def test_two_elements_are_refused_where_there_should_be_one(joint: str) -> None:
    with pytest.raises(ValueError):
        certificates.forwarded_client_cert(f"Hash={ONE.hash}{joint}Hash={ONE.hash}")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "::",
        ":AA:",
        ONE.field[1:],
        ONE.field[:-1],
        f"{ONE.field},{ONE.field}",
        f" {ONE.field}",
        f"{ONE.field};a=1",
        f":{b64encode(b'no certificate').decode()}:",
        ":" + "A" * 100_000 + ":",
        ONE.pem,
    ],
    ids=range(11),
)
def test_field_that_is_no_byte_sequence_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        certificates.client_cert(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "%",
        "%zz",
        ONE.pem,
        ONE.escaped[:-6],
        ONE.escaped * 2,
        ONE.escaped.replace("CERTIFICATE", "PUBLIC%20KEY"),
        f"{ONE.escaped},{ONE.escaped}",
        "x" + ONE.escaped,
        "%00" + ONE.escaped,
    ],
    ids=range(10),
)
def test_text_that_is_no_escaped_pem_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        certificates.escaped_pem(value)


@pytest.mark.parametrize("given_as", [b"", b"x", "", "x", ONE.pem * 2, ONE.pem.replace("M", "!"), "é"], ids=range(7))
def test_junk_of_the_server_is_refused(given_as: bytes | str) -> None:
    with pytest.raises(ValueError):
        certificates.shown(given_as)


PIECES = st.sampled_from(["Hash=", ONE.hash, ";", ",", '"', "\\", "=", "Cert=", ONE.escaped, " ", ":", "%0A", ONE.field, ONE.pem])


@given(st.sampled_from(READERS), st.text() | st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join))
def test_readers_are_total(read: Any, value: str) -> None:
    with contextlib.suppress(ValueError):
        assert len(read(value)) == 43


@pytest.mark.parametrize("filler", ["\t", '\\"', "A", "=", ",", "a=b;", "%0A"])
def test_long_values_of_nonsense_take_no_long_time(filler: str) -> None:
    text = filler * (60000 // len(filler))
    for read in READERS:
        for value in (text, f'Cert="{text}', f"-----BEGIN CERTIFICATE-----{text}"):
            with pytest.raises(ValueError):
                read(value)
