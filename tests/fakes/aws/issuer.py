"""An OpenID Connect issuer, for tests that are not written in Python: makes keys and signs tokens with joserfc.

usage, from the folder `tests/fakes`:  python -m aws.issuer
  Each line of standard input is one wish, each line of standard output its answer, until standard input is closed:
  {"jwks": "name"}                                                  the public keys of the issuer with this name
  {"sign": "name", "claims": {…}, "seconds": 600, "kid": …}         {"token": "…"}: `iat` is now, `exp` so many seconds on
Every name has its own key, made at its first use.
"""

from __future__ import annotations

import json
import sys
import time
from functools import cache

from joserfc import jwt
from joserfc.jwk import RSAKey


@cache
def key_of(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": name}, private=True, auto_kid=False)


def jwks(name: str) -> dict:
    return {"keys": [key_of(name).as_dict(private=False)]}


def token(name: str, claims: dict, seconds: int = 600, kid: str | None = None) -> str:
    now = int(time.time())
    all_claims = {"iat": now, "exp": now + seconds, **claims}
    present = {key: value for key, value in all_claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": kid or name}, present, key_of(name))


def main() -> None:
    for line in sys.stdin:
        wish = json.loads(line)
        if "jwks" in wish:
            answer = jwks(wish["jwks"])
        else:
            answer = {"token": token(wish["sign"], wish["claims"], int(wish.get("seconds", 600)), wish.get("kid"))}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
