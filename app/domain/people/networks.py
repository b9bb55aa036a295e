"""The networks that a client's address belongs to, and whether it is private."""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def network_of(address: str | None) -> str:
    """The address if it is IPv4, the network of 64 bits if it is IPv6, else the text itself.

    A client with one IPv6 address has all 2^64 of its network (RFC 6177, RFC 4291 section 2.5.1), so
    single addresses cannot be counted. A port, which some proxies write behind the address (RFC 7239,
    section 6), is removed.
    """
    try:
        parsed = ipaddress.ip_address(_without_port(address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


@lru_cache(maxsize=4096)
def networks_of(address: str | None) -> tuple[str, ...]:
    """The networks that a provider may assign to one customer, the narrowest first.

    For IPv6 those of 64, 56 and 48 bits: customers get prefixes of 48 to 64 bits (RFC 6177), so one
    may have 65,536 networks of 64 bits. For IPv4 the address alone; none if the address is unknown.
    """
    narrowest = network_of(address)
    try:
        network = ipaddress.IPv6Network(narrowest)
        wider = [str(network.supernet(new_prefix=bits)) for bits in (56, 48)]
    except ValueError:
        return (narrowest,) if narrowest else ()
    return narrowest, *wider


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def is_private(address: str | None) -> bool:
    """Whether an address belongs to this machine or a private network (RFC 1918, RFC 4193)."""
    try:
        return ipaddress.ip_address(network_of(address).partition("/")[0]).is_private
    except ValueError:
        return False
