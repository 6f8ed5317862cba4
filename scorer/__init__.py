"""The laboratory's scorers: they hold decisions against the truth. Python's standard library only.

The programs here also run as scripts, so their modules import each other by plain names.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
