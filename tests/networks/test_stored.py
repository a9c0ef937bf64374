import numpy as np
import pytest
import torch

import phasenet
from phasenet.errors import FileKindError
from phasenet.networks.functions import stored_functions
from phasenet.storage.networks import read_network

SAMPLE = "datasets/sample/haldane.network.h5"


# torch would rather have all networks exported.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_stored_network_is_a_module(request):
    path = request.config.rootpath / SAMPLE
    network = phasenet.load_network(path)
    spins = np.random.default_rng(0).integers(3, size=(5, 16))
    logits = stored_functions(read_network(path)[1])[0](spins)
    with torch.no_grad():
        found = network(torch.from_numpy(spins))
    torch.testing.assert_close(found.double(), torch.from_numpy(logits), rtol=1e-5, atol=1e-5)
    program = torch.jit.trace(network, torch.from_numpy(spins))
    torch.testing.assert_close(program(torch.from_numpy(spins)), found)


def test_another_file_is_one_line(request):
    with pytest.raises(FileKindError, match="snapshots"):
        phasenet.load_network(request.config.rootpath / "datasets/sample/haldane.snapshots.h5")
