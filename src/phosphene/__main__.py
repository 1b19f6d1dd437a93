"""`python -m phosphene`: the command line."""

import sys

from phosphene.cli import main

sys.exit(main())
