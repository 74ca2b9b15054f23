"""A local page to move the latent dimensions of a trained model and watch the image change."""

from keras_devae.explorer.page import make_page
from keras_devae.explorer.serving import check_gradio, explore, listen, serve
from keras_devae.explorer.session import Session

__all__ = ["Session", "check_gradio", "explore", "listen", "make_page", "serve"]
