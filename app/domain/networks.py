"""Where a request comes from: the part of a network address that belongs to one customer."""

import ipaddress


def network_of(address: str | None) -> str:
    """An IPv4 address as it is, an IPv6 address as its network of 64 bits; else the text given.

    Whoever has one IPv6 address has all 2^64 of its network (RFC 6177, RFC 4291 section 2.5.1), so
    counting single ones would count nothing.
    """
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)
