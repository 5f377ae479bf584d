"""Pictures are what this folder is about."""

import pytest


@pytest.fixture(autouse=True)
def drawn(pictures: None) -> None:
    """Every test draws."""
