"""What tests read off a figure."""


def tick_texts(axis):
    """The texts at the ticks of an axis."""
    return [label.get_text() for label in axis.get_ticklabels()]
