import keras
import numpy as np
import pytest
from keras import ops

import keras_devae as kd
from keras_devae import FlowVAE
from keras_devae.errors import UsageError
from keras_devae.layers import FLOWS
from keras_devae.models.catalogue import MODEL_CATALOGUE, check_options
from keras_devae.networks import mlp_encoder

pytestmark = pytest.mark.backends

SMALL = {"planar": {}, "iaf": {"flow": "iaf", "flow_units": (8, 8)}}
FLOW_NAMES = ("planar", "iaf")


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def still(model):
    """The model with flows that do nothing, as zero weights make them."""
    head = model.encoder.get_layer("flow_parameters")
    for weight in (*head.weights, *model.flows.weights):
        weight.assign(np.zeros(weight.shape))
    return model


def moving(model):
    """The model with flows that do much."""
    rng = np.random.default_rng(0)
    head = model.encoder.get_layer("flow_parameters")
    for weight in (*head.weights, *model.flows.weights):
        weight.assign(rng.normal(0, 0.7, weight.shape))
    return model


def test_flows_of_the_declaration():
    option = MODEL_CATALOGUE["flow_vae"].options["flow"]
    assert [option.check("flow", name) for name in FLOWS] == list(FLOW_NAMES)
    with pytest.raises(UsageError, match="Unknown flow"):
        option.check("flow", "radial")


@pytest.mark.parametrize("flow", FLOW_NAMES)
@pytest.mark.parametrize("training", [True, False])
def test_zero_weights_equal_the_vae(tiny, blobs, flow, training):
    images = blobs(9)
    model, vae = still(tiny("flow_vae", **SMALL[flow])), tiny("vae")
    for name in ("z_mean", "z_log_var"):
        vae.encoder.get_layer(name).set_weights(model.encoder.get_layer(name).get_weights())
    hidden = [each.layers[2].get_weights() for each in (model.encoder, vae.encoder)]
    np.testing.assert_array_equal(*(weights[0] for weights in hidden))
    vae.decoder.set_weights(model.decoder.get_weights())
    terms = []
    for each in (model, vae):
        outputs = each(images, training=training)
        terms.append(each.loss_terms(each.pixels(images), outputs, training))
    flows, plain = ([number(t.total), number(ops.sum(t.kl))] for t in terms)
    # Exact, up to the order of sums: the same noise, the same closed form.
    assert flows == pytest.approx(plain, rel=1e-6)
    np.testing.assert_array_equal(model.encode(images), vae.encode(images))
    got = model.sampled_posterior(model.encoder_outputs(images))
    mean, log_var = vae.posterior(images)
    np.testing.assert_allclose(got["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(got["log_var"], log_var, atol=1e-4)
    expected = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(1)
    np.testing.assert_allclose(got["divergence"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flow", FLOW_NAMES)
def test_codes_are_moved_means_and_samples(tiny, blobs, flow):
    model, images = moving(tiny("flow_vae", **SMALL[flow])), blobs(6)
    encoded = model.encoder(model.pixels(images))
    codes = ops.convert_to_numpy(model.flows(encoded["z_mean"], encoded["flow_parameters"])[0])
    np.testing.assert_allclose(model.encode(images), codes, rtol=1e-4, atol=1e-5)
    assert np.abs(codes - ops.convert_to_numpy(encoded["z_mean"])).max() > 0.02
    noise = np.random.default_rng(3).standard_normal((6, 3), dtype=np.float32)
    mean, log_var = map(ops.convert_to_numpy, model.bounded(encoded))
    base = mean + np.exp(0.5 * log_var) * noise
    expected = ops.convert_to_numpy(model.flows(base, encoded["flow_parameters"])[0])
    sampled = model.encode(images, sample=True, seed=3)
    np.testing.assert_allclose(sampled, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(images), model.decode(codes), atol=1e-5)
    with pytest.raises(UsageError, match="The codes of FlowVAE have no log-variances"):
        model.posterior(images)


@pytest.mark.parametrize("flow", FLOW_NAMES)
def test_fixed_draws_show_the_posterior_of_many(tiny, blobs, flow):
    model, images = moving(tiny("flow_vae", **SMALL[flow])), blobs(4)
    encoded = model.encoder_outputs(images)
    got = model.sampled_posterior(encoded)
    noise = np.random.default_rng(1).standard_normal((20_000, 1, 3), dtype=np.float32)
    tensors = {name: ops.convert_to_tensor(array) for name, array in encoded.items()}
    codes, divergences = map(ops.convert_to_numpy, model.draw_codes(tensors, noise))
    np.testing.assert_allclose(got["mean"], codes.mean(0), atol=0.1)
    np.testing.assert_allclose(got["log_var"], np.log(codes.var(0)), atol=0.3)
    # 64 draws of strong flows.
    np.testing.assert_allclose(got["divergence"], divergences.mean(0), atol=0.4)


def test_free_bits_are_a_floor_without_a_gradient(tiny, blobs):
    images = blobs(8)

    def total(free_bits):
        model = tiny("flow_vae", free_bits=free_bits)
        outputs = model(images, training=True)
        terms = model.loss_terms(model.pixels(images), outputs, training=True)
        kl = number(ops.sum(terms.kl))
        return number(terms.total) - number(ops.sum(terms.reconstruction)), kl

    (without, kl), (below, _), (above, _) = total(0), total(kl_of := 1e-3), total(50)
    assert without == below == pytest.approx(kl, rel=1e-5) and kl > kl_of
    assert above == pytest.approx(50, rel=1e-6)


def test_all_variables_of_the_flows_learn(tiny, blobs):
    for flow in FLOW_NAMES:
        model = tiny("flow_vae", learning_rate=0.1, **SMALL[flow])
        before = [ops.convert_to_numpy(w).copy() for w in model.trainable_variables]
        model.fit(blobs(8), batch_size=4, epochs=2, verbose=0)
        for weight, old in zip(model.trainable_variables, before, strict=True):
            assert not np.array_equal(ops.convert_to_numpy(weight), old), weight.path


def test_widths_of_the_encoder():
    planar = FlowVAE.encoder_options(5, num_flows=4)
    assert planar == {"latent_dim": 5, "flow_parameters": 4 * 11}
    iaf = FlowVAE.encoder_options(5, flow="iaf", flow_units=(7, 6))
    assert iaf == {"latent_dim": 5, "flow_parameters": 2 * 7}
    encoder = mlp_encoder((8, 8, 1), units=(4,), **iaf)
    assert encoder.output["flow_parameters"].shape == (None, 14)


def test_widths_without_iaf_are_refused():
    with pytest.raises(UsageError, match="set `flow` to 'iaf' too"):
        check_options("flow_vae", {"flow_units": [64]})
    check_options("flow_vae", {"flow_units": [64], "flow": "iaf"})
    check_options("flow_vae", {"flow_units": [128, 128, 128], "flow": "planar"})


def test_the_encoder_model_moves_the_mean(tiny, blobs, tmp_path):
    for flow in FLOW_NAMES:
        model, images = moving(tiny("flow_vae", **SMALL[flow])), blobs(5)
        encoder = model.encoder_model()
        encoder.save(tmp_path / "encoder.keras")
        for each in (encoder, keras.models.load_model(tmp_path / "encoder.keras")):
            codes = ops.convert_to_numpy(each(images))
            np.testing.assert_allclose(codes, model.encode(images), rtol=1e-4, atol=1e-5)
        assert set(model.encoder_model(all_outputs=True)(images)) == {"z_mean"}


@pytest.mark.thorough
@pytest.mark.parametrize("flow", FLOW_NAMES)
def test_the_bound_on_dsprites_is_no_worse_than_that_of_the_vae(flow):
    data = kd.data.load("dsprites", source="rendered", image_size=32)
    rows = np.random.default_rng(0).permutation(len(data))
    images, held_out = data.images(rows[2000:34_000]), data.images(rows[:2000])
    targets = held_out / 255

    def bound(kind, seed, **options):
        networks = {"network": "mlp", "network_units": (256, 256)}
        model = kind.for_images((32, 32, 1), latent_dim=10, seed=seed, **networks, **options)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit(images, batch_size=64, epochs=5, shuffle=False, verbose=0)
        codes = model.encode(held_out, sample=True, seed=0)
        pixels = np.clip(model.decode(codes).astype("float64"), 1e-7, 1 - 1e-7)
        log_p = targets * np.log(pixels) + (1 - targets) * np.log1p(-pixels)
        dataset = kd.data.from_arrays(held_out)
        kl = kd.evaluation.evaluate(model, dataset, ("kl",), images=2000)["layers"][0]["kl.total"]
        return log_p.sum((1, 2, 3)).mean() - kl

    of_flow = [bound(FlowVAE, seed, flow=flow) for seed in range(2)]
    of_vae = [bound(kd.VAE, seed) for seed in range(2)]
    print(f"{flow}: {of_flow}, VAE: {of_vae}")
    # Seeds of a VAE differ by about as much.
    assert np.mean(of_flow) > np.mean(of_vae) - 1
