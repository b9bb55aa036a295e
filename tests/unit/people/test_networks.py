"""Networks: what of an address belongs to one customer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.people.networks import network_of, networks_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("192.0.2.7:50123", "192.0.2.7"),
        ("[2001:db8:1:2::7]:50123", "2001:db8:1:2::/64"),
        ("[fe80::1%eth0]:50123", "fe80::/64"),
        ("a-socket", "a-socket"),
        ("", ""),
        (None, ""),
    ],
)
def test_an_address_stands_for_the_network_of_one_customer(address, network):
    assert network_of(address) == network


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_no_two_addresses_of_one_ipv6_network_are_told_apart(address, host):
    if address.ipv4_mapped or int(address) >> 64 == 0:
        return

    neighbour = type(address)(int(address) >> 64 << 64 | host)

    assert network_of(str(address)) == network_of(str(neighbour))


@given(st.text(max_size=60))
def test_whatever_a_proxy_says_has_a_network(text):
    assert isinstance(network_of(text), str)


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("192.0.2.7", ("192.0.2.7",)),
        ("::ffff:192.0.2.7", ("192.0.2.7",)),
        (
            "2001:db8:1:2345::9",
            ("2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"),
        ),
        ("[fe80::1%eth0]:50123", ("fe80::/64", "fe80::/56", "fe80::/48")),
        ("a-socket", ("a-socket",)),
        ("10.0.0.0/64", ("10.0.0.0/64",)),
        ("2001:db8::/40", ("2001:db8::/40",)),
        ("", ()),
        (None, ()),
    ],
)
def test_an_ipv6_address_belongs_to_networks_of_three_sizes(address, networks):
    assert networks_of(address) == networks


@given(st.text(max_size=60) | st.text("0123456789abcdef:./%[]", max_size=60))
def test_whatever_a_proxy_says_belongs_to_networks(text):
    assert bool(networks_of(text)) == bool(network_of(text))
