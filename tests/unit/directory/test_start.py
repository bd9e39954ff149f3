"""What only reads the directory starts fast."""

from __future__ import annotations

import subprocess
import sys


def test_reading_people_does_not_load_the_scim_library() -> None:
    """Commands that only read the directory do not wait for the SCIM library, which takes most of a second."""
    loading = "import sys, bridge.directory.store, bridge.membership.relink; print('scim2_models' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loading], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "False"
