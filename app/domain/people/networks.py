"""Where a request comes from: the networks that an address belongs to, and whether it is near."""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def network_of(address: str | None) -> str:
    """An IPv4 address as it is, an IPv6 address as its network of 64 bits; else the text given.

    Whoever has one IPv6 address has all 2^64 of its network (RFC 6177, RFC 4291 section 2.5.1), so
    counting single ones would count nothing. Nor would it with ports, which some proxies write
    behind the address (RFC 7239, section 6).
    """
    try:
        found = ipaddress.ip_address(_without_port(address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)


@lru_cache(maxsize=4096)
def networks_of(address: str | None) -> tuple[str, ...]:
    """The networks that a provider may give to one customer, the narrowest first.

    Of IPv6 the network of 64 bits, of 56 and of 48: customers get prefixes of 48 to 64 bits (RFC
    6177), so one of them may have 65,536 networks of 64 bits. Of IPv4 the address alone; of an
    address that is not known, none.
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
    """Whether an address is of this machine or of a private network (RFC 1918, RFC 4193)."""
    try:
        return ipaddress.ip_address(network_of(address).partition("/")[0]).is_private
    except ValueError:
        return False
