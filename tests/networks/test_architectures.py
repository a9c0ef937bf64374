"""One suite over all kinds of classifiers, with dense and with tensorized layers."""

import copy
import io
import warnings

import numpy as np
import pytest
import torch

import phasenet
from phasenet.errors import FileKindError, SettingsError
from phasenet.networks.architectures.costs import cost_of
from phasenet.networks.architectures.registry import ARCHITECTURES, architecture_of, build
from phasenet.networks.convolutional import ConvolutionalClassifier, load_weights, weights_of
from phasenet.networks.functions import logits_function, probabilities_function, stored_functions
from phasenet.networks.readings import Readings
from phasenet.records import TrainedNetwork
from phasenet.settings import TrainSettings

LENGTH, CLASSES = 10, 3
READINGS = Readings(site_dim=3, lost=False, bases=())
SMALL = {
    "convolutional": {"channels": (4, 5)},
    "mlp": {"width": 12},
    "gru": {"width": 8, "depth": 1},
    "transformer": {"width": 8, "depth": 1, "heads": 2},
    "correlator": {"channels": (4,), "kernel": 4},
    "train": {"bond": 4},
}
KINDS = list(SMALL)
TENSORIZED = [
    (kind, form)
    for kind in ("convolutional", "mlp", "gru", "transformer")
    for form in ("tucker", "mpo", "cp")
]
ALL = [*((kind, "dense") for kind in KINDS), *TENSORIZED]


def architecture(kind, layers="dense", length=LENGTH, **changes):
    rank = {} if layers == "dense" else {"rank": 2}
    values = {"architecture": kind, "layers": layers, **rank, **SMALL[kind], **changes}
    return architecture_of(TrainSettings.checked(values), READINGS, [length], CLASSES)


def network(kind, layers="dense", seed=0, **changes):
    torch.manual_seed(seed)
    return build(architecture(kind, layers, **changes)).eval()


def drawn(shots=6, length=LENGTH, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, (shots, length), generator=generator)


def test_the_names_are_those_of_the_settings():
    assert list(ARCHITECTURES) == list(
        TrainSettings.model_fields["architecture"].annotation.__args__
    )
    assert set(SMALL) == set(ARCHITECTURES)


def test_the_first_architecture_stays_as_it_was():
    lost = Readings(site_dim=3, lost=True, bases=("Sx", "Sz"))
    assert architecture_of(TrainSettings(), lost, [32, 16], 2) == {
        "kind": "convolutional",
        "site_dim": 8,
        "lost": True,
        "bases": ["Sx", "Sz"],
        "channels": [8, 8],
        "kernel": 3,
        "classes": 2,
    }
    torch.manual_seed(7)
    direct = ConvolutionalClassifier(site_dim=3, channels=(4, 5), kernel=3, classes=CLASSES)
    built = network("convolutional", seed=7)
    assert list(built.state_dict()) == [
        "convolutions.0.weight",
        "convolutions.0.bias",
        "convolutions.1.weight",
        "convolutions.1.bias",
        "readout.weight",
        "readout.bias",
    ]
    for name, weight in direct.state_dict().items():
        assert torch.equal(weight, built.state_dict()[name])
    assert f"{float(built.readout.bias[0].detach()):.6f}" == "0.089346"


@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_logits_of_each_shot_alone(kind, layers):
    net, spins = network(kind, layers), drawn()
    logits = net(spins)
    assert (logits.shape, logits.dtype) == ((6, CLASSES), torch.float32)
    alone = torch.cat([net(shot[None]) for shot in spins])
    torch.testing.assert_close(alone, logits, rtol=1e-4, atol=1e-5)
    small = net(spins.to(torch.uint8))
    torch.testing.assert_close(small, logits, rtol=0, atol=0)


@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_no_shots_have_no_logits(kind, layers):
    assert network(kind, layers)(drawn()[:0]).shape == (0, CLASSES)


@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_both_precisions_agree(kind, layers):
    single, spins = network(kind, layers), drawn()
    double = copy.deepcopy(single).double()
    assert double(spins).dtype == torch.float64
    torch.testing.assert_close(single(spins), double(spins).float(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_seeds_decide_the_weights(kind, layers):
    first, again, other = (network(kind, layers, seed=seed) for seed in (1, 1, 2))
    spins = drawn()
    assert torch.equal(first(spins), again(spins))
    assert not torch.allclose(first(spins), other(spins))
    before = torch.random.get_rng_state()
    architecture(kind, layers)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_weights_are_plain_arrays(kind, layers, tmp_path):
    net, other, spins = network(kind, layers), network(kind, layers, seed=5), drawn()
    arrays = weights_of(net)
    assert all(array.dtype == np.float32 for array in arrays.values())
    load_weights(other, arrays)
    assert torch.equal(other(spins), net(spins))
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    buffer.seek(0)
    third = network(kind, layers, seed=6)
    third.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(third(spins), net(spins))
    with pytest.raises(FileKindError, match="do not fit the architecture"):
        load_weights(other, dict(list(arrays.items())[1:]))


@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_a_copy_is_its_own(kind, layers):
    net, spins = network(kind, layers), drawn()
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.add_(0.1)
    assert not torch.allclose(twin(spins), net(spins))
    assert torch.equal(network(kind, layers)(spins), net(spins))


@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_every_weight_has_a_gradient(kind, layers):
    net = network(kind, layers).train().double()
    net(drawn(40))[:, 0].square().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        # The last layer has a row of its own for each class.
        assert weight.grad.any(), name


@pytest.mark.parametrize(
    ("kind", "layers"),
    [*ALL[: len(KINDS)], *(pytest.param(*both, marks=pytest.mark.slow) for both in TENSORIZED)],
)
def test_recorded_graphs_say_the_same(kind, layers):
    net, spins, more = network(kind, layers), drawn(5), drawn(7, seed=1)
    with warnings.catch_warnings():
        # torch would rather have all files exported again; the format stays readable.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        traced = torch.jit.trace(net, spins)
    torch.testing.assert_close(traced(more), net(more), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_exported_programs_say_the_same(kind, layers):
    net, spins, more = network(kind, layers), drawn(5), drawn(7, seed=1)
    shots = {0: torch.export.Dim("shots", min=2)}
    program = torch.export.export(net, (spins,), dynamic_shapes=(shots,))
    torch.testing.assert_close(program.module()(more), net(more), rtol=1e-5, atol=1e-6)
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(more), net(more), rtol=1e-5, atol=1e-6)
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "layers"), [*((kind, "dense") for kind in KINDS), *TENSORIZED[3:6]]
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_onnx_says_the_same(kind, layers):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    net, spins, more = network(kind, layers), drawn(5), drawn(7, seed=1)
    shots = {0: torch.export.Dim("shots", min=2)}
    program = torch.onnx.export(net, (spins,), dynamo=True, dynamic_shapes=(shots,), verbose=False)
    buffer = io.BytesIO()
    program.save(buffer)
    session = runtime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (name,) = (given.name for given in session.get_inputs())
    (found,) = session.run(None, {name: more.numpy()})
    np.testing.assert_allclose(found, net(more).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kind", "layers"), ALL)
def test_batch_functions_of_stored_networks(kind, layers):
    net, spins = network(kind, layers), drawn().numpy()
    record = TrainedNetwork(
        architecture=architecture(kind, layers),
        weights=weights_of(net),
        classes=("a", "b", "c"),
        history={},
        scores=(),
        outcome="",
    )
    logits, probabilities = stored_functions(record)
    with torch.no_grad():
        wanted = net.double()(torch.from_numpy(spins)).numpy()
    np.testing.assert_allclose(logits(spins), wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(probabilities(spins).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tensorizer_takes_them(kind):
    function = logits_function(network(kind, length=5).double())
    samples = drawn(200, 5).numpy()
    found = phasenet.tensorize(function, samples=samples, site_dims=[3] * 5, tol=1e-9)
    np.testing.assert_allclose(found.train(samples), function(samples), atol=1e-6)


@pytest.mark.parametrize(("kind", "layers"), TENSORIZED)
def test_tensorized_networks_are_smaller(kind, layers):
    changes = {} if kind == "convolutional" else {"width": 16}
    dense, small = network(kind, **changes), network(kind, layers, **changes)
    assert cost_of(small, LENGTH).parameters < cost_of(dense, LENGTH).parameters


def test_costs_in_closed_form():
    cost = cost_of(network("mlp", width=12), LENGTH)
    assert cost.parameters == (30 * 12 + 12) + (12 * 12 + 12) + (12 * 3 + 3)
    assert cost.flops == 2 * (30 * 12 + 12 * 12 + 12 * 3)
    cost = cost_of(network("gru", width=8), LENGTH)
    assert cost.parameters == 24 * (3 + 1) + 24 * (8 + 1) + 3 * (8 + 1)
    assert cost.flops == 2 * (LENGTH * 24 * (3 + 8) + 3 * 8)
    cost = cost_of(network("convolutional"), LENGTH)
    assert cost.flops == 2 * (8 * 4 * 9 + 6 * 5 * 12 + 3 * 5)
    attended = 2 * LENGTH * LENGTH * 8
    linear = LENGTH * (3 * 8 + 4 * 64 + 2 * 8 * 16) + 3 * 8
    assert cost_of(network("transformer"), LENGTH).flops == 2 * (linear + attended)
    assert not network("mlp").training
    assert str(cost_of(network("gru"), LENGTH)) == "339 parameters, 5.3 kFLOP a shot"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"architecture": "gru", "kernel": 5}, r"train\.kernel is 5.*'gru' does not use it; it us"),
        ({"architecture": "mlp", "heads": 2}, r"train\.heads is 2.*it uses width, depth$"),
        ({"width": 32}, r"train\.width is 32.*it uses channels, kernel$"),
        ({"rank": 3}, r"train\.rank is 3, but dense layers have none; set train\.layers to tucker"),
        ({"architecture": "transformer", "width": 30}, r"no multiple of train\.heads 4; set.*32$"),
        (
            {"kernel": 6},
            r"the chain has 10 sites, the network sees 11 at once; lower train\.kernel",
        ),
        ({"architecture": "correlator", "kernel": 11, "order": 2}, r"a filter sees 11; lower"),
        ({"architecture": "correlator", "order": 5}, r"train\.order 5 is more than the 3 sites"),
        ({"architecture": "correlator", "channels": (4,) * 3}, r"\[4, 4, 4\]; .* one layer of fil"),
        ({"architecture": "correlator", "layers": "cp"}, r"no layer .* gets smaller as cp of ran"),
    ],
)
def test_settings_that_do_not_fit(values, message):
    with pytest.raises(SettingsError, match=message):
        architecture_of(TrainSettings.checked(values), READINGS, [LENGTH], CLASSES)


@pytest.mark.parametrize("kind", KINDS)
def test_chains_of_several_lengths(kind):
    settings = TrainSettings.checked({"architecture": kind, **SMALL[kind]})
    if ARCHITECTURES[kind].one_length:
        with pytest.raises(SettingsError, match=r"have 10, 14 sites; .* takes one length only"):
            architecture_of(settings, READINGS, [14, 10, 10], CLASSES)
    else:
        net = build(architecture_of(settings, READINGS, [14, 10, 10], CLASSES))
        assert net(drawn(3, 14)).shape == net(drawn(3, 10)).shape == (3, CLASSES)


def test_kinds_that_there_are_not():
    for kind in ("dense", None, 3, ["gru"], "os.system"):
        with pytest.raises(SettingsError, match=r"wanted one of 'convolutional', 'mlp'"):
            build({"kind": kind})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", ["missing", 0, -3, 2.5, "8", None, True, 10**12, [10**7], {}])
def test_architectures_of_strangers(kind, odd):
    known = architecture(kind)
    for name in known.keys() - {"kind", "output_site"}:
        changed = {n: v for n, v in known.items() if n != name or odd != "missing"}
        if odd != "missing":
            changed[name] = odd
        with pytest.raises(
            FileKindError, match=rf"^architecture '{kind}' has (no ')?{name}"
        ) as error:
            build(changed)
        assert "\n" not in str(error.value)


def test_architectures_of_strangers_that_contradict_themselves():
    with pytest.raises(FileKindError, match="output_site 12; wanted one of its 10 sites"):
        build({**architecture("train"), "output_site": 12})
    with pytest.raises(FileKindError, match="width 9; wanted a multiple of its 2 heads"):
        build({**architecture("transformer"), "width": 9})
    with pytest.raises(FileKindError, match="order 5; wanted at most its kernel, 4"):
        build({**architecture("correlator"), "order": 5})
    with pytest.raises(FileKindError, match=r"has \d+ weights; wanted at most"):
        build({**architecture("mlp"), "width": 60000})


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"2": 3}, r"the form of layer '2' cannot be used"),
        ({"2": {"form": "svd"}}, r"the form of layer '2' cannot be used: .*'svd'; wanted tucker"),
        ({"2": {"form": "cp"}}, r"the form of layer '2' cannot be used"),
        ({"9": {}}, r"a tensorized layer '9'; the network has 0\.linear, 2, 4"),
        ([1], r"the tensorized layers are \[1\]; wanted forms by name"),
    ],
)
def test_layers_of_strangers(layers, message):
    with pytest.raises(FileKindError, match=message):
        build({**architecture("mlp"), "layers": layers})


def test_a_layer_of_other_modes():
    form = architecture("mlp", "mpo")["layers"]["2"]
    with pytest.raises(FileKindError, match=r"the form of layer '2' cannot be used"):
        build({**architecture("mlp"), "layers": {"2": {**form, "in_modes": [5, 5]}}})


def test_probabilities_of_a_tensorized_network_in_two_parts():
    function = probabilities_function(network("mlp", "mpo").double())
    spins = drawn().numpy()
    left, right = function.prefixes(spins[:, :4]), function.suffixes(spins[:, 4:])
    np.testing.assert_allclose(function.pairs(left, right), function(spins), atol=1e-13)
