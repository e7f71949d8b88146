"""The model's own tests need no system."""

import pytest


@pytest.fixture(autouse=True)
def no_faults_left():
    """Stands in for that of the system tests, which would start the system."""
