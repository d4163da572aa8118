"""Addresses that no message goes to, whoever configures it: nobody's system answers there.

Link-local ones (169.254.0.0/16, fe80::/10) answer to whoever is on the same link; there clouds
tell a machine its own credentials. Private ones (10.0.0.0/8, 192.168.0.0/16, …) are where an ERP
is.
"""

from ipaddress import IPv6Address, ip_address
from typing import Final

_METADATA: Final = frozenset({ip_address("100.100.100.200"), ip_address("fd00:ec2::254")})
"""Of clouds where it is not link-local: Alibaba Cloud's, and that of AWS by IPv6."""


def is_off_limits(host: str) -> bool:
    """Return whether a host is such an address; of a name that is known once it is connected to."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_link_local or address in _METADATA
