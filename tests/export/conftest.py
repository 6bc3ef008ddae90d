"""torch on one thread: sums come in one order, so that what must be equal bit for bit can be."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
