"""Host names of fake databases, shaped as RDS shapes them.

RDS puts a constant per account and region into the host name. Ours is `c` and eleven hex digits of
sha256(account + region), so that names are known before a database exists and never clash between accounts.
"""

from __future__ import annotations

import hashlib


def location_hash(account: str, region: str) -> str:
    return "c" + hashlib.sha256(f"{account}{region}".encode()).hexdigest()[:11]


def instance_host(account: str, region: str, identifier: str) -> str:
    return f"{identifier}.{location_hash(account, region)}.{_suffix(region)}"


def cluster_host(account: str, region: str, identifier: str, reader: bool = False) -> str:
    prefix = "cluster-ro-" if reader else "cluster-"
    return f"{identifier}.{prefix}{location_hash(account, region)}.{_suffix(region)}"


def _suffix(region: str) -> str:
    """China has the words in another order."""
    return f"rds.{region}.amazonaws.com.cn" if region.startswith("cn-") else f"{region}.rds.amazonaws.com"
