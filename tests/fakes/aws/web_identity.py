"""Web identity tokens at STS: the issuer, the signature, the times and the audience of a JWT, before any trust policy.

An issuer is known to an account by `iam:CreateOpenIDConnectProvider` (its URL and the audiences that it lists). The keys
that AWS would fetch from the issuer come over the control API (`PUT /rig/issuers`), because nothing here leaves the
machine. The signature is checked by joserfc.

The words for an expired token, a wrong audience, an unknown issuer, missing claims and keys that cannot be fetched are
those that people report of AWS; those for a wrong signature, a wrong time of begin and a text that is no JWT are
belief.
"""

from __future__ import annotations

import json
import time

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import decode
from moto.iam.models import iam_backends

from .settings import LOCK
from .wire import Call, Refusal

ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
REQUIRED = ("iss", "aud", "sub", "exp", "iat")
NO_KEYS = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)


class Issuers:
    """The public keys of issuers, as their `jwks_uri` would give them."""

    def __init__(self) -> None:
        self._keys: dict[str, dict] = {}

    def put(self, issuer: str, jwks: dict | None) -> None:
        """Replaces the keys; without any the issuer cannot be reached."""
        if not issuer.startswith("https://"):
            raise ValueError(f"the issuer {issuer}: AWS takes https:// only")
        with LOCK:
            self._keys.pop(issuer, None)
            if jwks is not None:
                KeySet.import_key_set(jwks)
                self._keys[issuer] = jwks

    def keys(self, issuer: str) -> KeySet | None:
        with LOCK:
            found = self._keys.get(issuer)
        return KeySet.import_key_set(found) if found else None

    def names(self) -> list[str]:
        with LOCK:
            return sorted(self._keys)


ISSUERS = Issuers()


def refuse(call: Call, account: str, partition: str) -> Refusal | None:
    """Why STS does not take the token, or None; then the call carries its claims and the ARN of its issuer."""
    token = call.params.get("WebIdentityToken", "")
    claims = _unverified(token)
    if claims is None:
        return _invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    missing = next((name for name in REQUIRED if name not in claims), None)
    if missing is not None:
        return _invalid(f"Missing a required claim: {missing}")
    provider = _provider(account, partition, str(claims["iss"]))
    if provider is None:
        return _invalid(f"No OpenIDConnect provider found in your account for {claims['iss']}")
    refusal = _refuse_signature(token, str(claims["iss"])) or _refuse_times(claims)
    if refusal:
        return refusal
    audiences = _as_list(claims["aud"])
    if not set(audiences) & set(provider.client_id_list):
        return _invalid("Incorrect token audience")
    call.extra["federated"] = provider.arn
    # AWS calls the authorized party `aud` where a token names one.
    values = {"aud": claims.get("azp", audiences[0]), "oaud": audiences[0], "sub": claims["sub"]}
    call.extra["claims"] = {f"{provider.url}:{name}".lower(): str(value) for name, value in values.items()}
    return None


def not_trusted() -> Refusal:
    return Refusal("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)


def _unverified(token: str) -> dict | None:
    try:
        claims = json.loads(jws.extract_compact(token.encode()).payload)
    except (JoseError, ValueError):
        return None
    return claims if isinstance(claims, dict) else None


def _provider(account: str, partition: str, issuer: str):
    if account not in iam_backends:
        return None
    known = iam_backends[account][partition].open_id_providers.values()
    return next((one for one in known if f"https://{one.url}" == issuer), None)


def _refuse_signature(token: str, issuer: str) -> Refusal | None:
    wanted, keys = jws.extract_compact(token.encode()).headers().get("kid"), ISSUERS.keys(issuer)
    key = next((key for key in keys.keys if key.kid == wanted), None) if keys else None
    if key is None:
        return _invalid(NO_KEYS)
    try:
        decode(token, key, algorithms=ALGORITHMS)
    except (JoseError, ValueError):
        return _invalid("The signature of the web identity token is invalid")
    return None


def _refuse_times(claims: dict) -> Refusal | None:
    now = int(time.time())
    if now >= int(claims["exp"]):
        message = f"Token expired: current date/time {now} must be before the expiration date/time {int(claims['exp'])}"
        return Refusal("ExpiredTokenException", message, 400)
    if int(claims.get("nbf", 0)) > now:
        return _invalid("The web identity token is not valid yet")
    return None


def _invalid(message: str) -> Refusal:
    return Refusal("InvalidIdentityToken", message, 400)


def _as_list(value: object) -> list:
    return value if isinstance(value, list) else [value]
