"""A policy for the runs."""

import pytest


@pytest.fixture
def policy(make_policy_file, tmp_path):
    """The path of a policy file."""
    path = tmp_path / 'policy.safetensors'
    make_policy_file().save(path)
    return str(path)
