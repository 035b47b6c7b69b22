"""AWS on loopback, as far as logins go: accounts, who gives their keys, what stands before a domain."""

from .accounts import Accounts, Issued
from .gateway import Gateway, gateway
from .givers import Givers, givers

__all__ = ["Accounts", "Gateway", "Givers", "Issued", "gateway", "givers"]
