"""Checks the signature of a webhook with the libraries that receivers use.

Reads `{"secret": ..., "headers": {...}, "body": ...}` from standard input, prints the names of the libraries that accept
it, one a line, and those that refuse it with the reason.
"""

import json
import sys

import standardwebhooks
from svix.webhooks import Webhook as SvixWebhook
from svix.webhooks import WebhookVerificationError


def tell(name, check):
    try:
        check()
        print(f"{name} accepts")
    except (WebhookVerificationError, standardwebhooks.WebhookVerificationError) as error:
        print(f"{name} refuses: {error}")


def main():
    asked = json.load(sys.stdin)
    secret, headers, body = asked["secret"], asked["headers"], asked["body"]
    branded = {name: value for name, value in headers.items() if not name.startswith("webhook-")}
    tell("standardwebhooks", lambda: standardwebhooks.Webhook(secret).verify(body, headers))
    tell("svix", lambda: SvixWebhook(secret).verify(body, branded))


main()
