"""What a test may change while the launcher runs: one object, guarded by one lock."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, fields


@dataclass
class Settings:
    """The knobs of `PUT /rig/settings`. Polls are counted per database, by the Describe calls that list it."""

    # Describes that show `resetting-master-credentials` or `modifying` after a change; 0 = no transition at all.
    modify_polls: int = 0
    # Describes after a change that still say `available` (RDS starts to work on a change some time after it answered).
    available_polls: int = 0
    # Describes that show `creating` (and no endpoint) after a database was made.
    create_polls: int = 0
    # A new master password reaches the real database after that many Describes, and that many milliseconds later.
    password_delay_polls: int = 0
    password_delay_ms: int = 0
    # A cluster's new password waits in PendingModifiedValues until a Modify with ApplyImmediately = true.
    hold_cluster_password: bool = False
    # AssumeRole looks at the role, its trust policy, the external id, the account's status and the duration.
    role_checks: bool = True
    # Identity policies, trust policies and their conditions decide about every call that the test does not prepare with.
    enforce: bool = False
    # AssumeRole hands out credentials that end after that many seconds (0 = the duration that was asked for).
    session_seconds: int = 0
    # Largest page of any listing (0 = as asked): pages are shorter than the limit that the client sent.
    page_size: int = 0
    # Added to every call.
    latency_ms: int = 0

    def update(self, changes: dict) -> None:
        """Takes over `changes`; an unknown name or a wrong type is a mistake of the test, so it is refused."""
        known = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"unknown setting {name}; known: {', '.join(sorted(known))}")
            if type(value) is not known[name]:
                raise ValueError(f"setting {name} wants {known[name].__name__}, got {value!r}")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_dict(self) -> dict:
        return asdict(self)


SETTINGS = Settings()
LOCK = threading.RLock()
