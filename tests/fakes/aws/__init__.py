"""A fake AWS for the acceptance tests: moto_server 5.2.1 with the behaviour that matters to this provider put right.

`python -m aws.launcher` starts it, `python -m aws.seed` fills it; both run from the folder above this one.
"""
