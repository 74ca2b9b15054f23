"""Which latent layer reconstructs best: said wherever another than the best one is taken away."""

#: Share of a layer's loss by which another must be lower to be worth a word: seeds move as much.
WORTH_A_WORD = 0.01


def losses_of(layers):
    """Returns what `layer_advice` takes from scores.

    Args:
        layers: List of dictionaries of flat scores, one for each layer, as `evaluate` returns.
    """
    from keras_devae.metrics import METRICS

    key = METRICS["reconstruction_error"].key()
    return {layer["layer"]: layer.get(key) for layer in layers}


def layer_advice(losses, layer=0):
    """Says so if another latent layer than the one exported reconstructs clearly better.

    Args:
        losses: Number of each layer measured -> its reconstruction loss in nats an image.
        layer: Number of the layer that is exported; default 0, as `export` does.

    Returns:
        The sentence, with what to do; `None` where the layer is the best one, or as good but for
        1 %, or was not measured.
    """
    losses = {number: loss for number, loss in losses.items() if loss is not None and loss == loss}
    if layer not in losses:
        return None
    best = min(losses, key=losses.get)
    if losses[layer] - losses[best] <= WORTH_A_WORD * abs(losses[layer]):
        return None
    numbers, values = zip(*sorted(losses.items()), strict=True)
    return (
        f"Layer {layer}, the one that is exported{'' if layer else ' unless another is named'}, is "
        f"not the best: layers {' / '.join(map(str, numbers))} lose "
        f"{' / '.join(f'{value:,.1f}' for value in values)} nats an image. Train for longer, or "
        f"export layer {best}: keras-devae export RUN FOLDER --layer {best}, in Python "
        f"model.export_encoder(folder, layer={best})."
    )
