"""Write the pages that come from the code: `python -m scripts.site`.

Tested in tests/test_written.py.
"""

from __future__ import annotations

import sys

from scripts.site.written import ROOT, pages

if __name__ == "__main__":
    for name, text in pages().items():
        (ROOT / name).write_text(text)
        sys.stdout.write(f"{name}\n")
