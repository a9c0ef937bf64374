"""Tensorized layers for torch: Tucker, matrix product operator and CP in place of dense weights."""

from phasenet.networks.layers.convolutions import TensorizedConvolution as TensorizedConvolution
from phasenet.networks.layers.cp import CPLinear as CPLinear
from phasenet.networks.layers.mpo import MPOLinear as MPOLinear
from phasenet.networks.layers.tucker import TuckerLinear as TuckerLinear
