"""Serves an exported encoder over HTTP, and uses it as a step of a scikit-learn pipeline.

    keras-devae export RUN encoder --format onnx
    python examples/serve_encoder.py encoder

The server needs NumPy and the runtime of the export only: ONNX Runtime for a folder with
`encode_uint8.onnx`, TensorFlow for a SavedModel. The client needs NumPy and scikit-learn.

POST /encode takes a `.npy` file of uint8 images `(n, height, width, channels)` and answers with
a `.npy` file of their codes, float32 `(n, latent_dim)`.
"""

import argparse
import contextlib
import io
import json
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


def load_encoder(folder):
    """Returns a function from uint8 images to codes, and the shape of an image."""
    file = Path(folder, "encode_uint8.onnx")
    if file.is_file():
        import onnxruntime

        session = onnxruntime.InferenceSession(file)
        shape = tuple(session.get_inputs()[0].shape[1:])
        return lambda images: session.run(["z_mean"], {"image": images})[0], shape
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["encode_uint8"]
    shape = tuple(signature.structured_input_signature[1]["image"].shape[1:])
    return lambda images: loaded.encode(images)["z_mean"].numpy(), shape


def array_from(content):
    """Returns the array in the bytes of a `.npy` file; never unpickles."""
    return np.load(io.BytesIO(content), allow_pickle=False)


def bytes_of(array):
    """Returns the bytes of a `.npy` file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def make_server(folder, port=0, largest=1 << 28):
    """Returns a server on the loopback interface; port 0 takes a free one."""
    encode, shape = load_encoder(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            if self.path != "/encode":
                return self.answer(404, b"The only address is /encode.", "text/plain")
            try:
                length = int(self.headers["Content-Length"])
                if not 0 < length <= largest:
                    raise ValueError(f"Send 1 to {largest} bytes. Received: {length}.")
                images = array_from(self.rfile.read(length))
                if images.dtype != np.uint8 or images.shape[1:] != shape:
                    raise ValueError(
                        f"Expected uint8 images of shape (n, {', '.join(map(str, shape))}). "
                        f"Received: {images.dtype} {images.shape}."
                    )
            except (TypeError, ValueError, EOFError) as error:
                return self.answer(400, str(error).encode(), "text/plain")
            return self.answer(200, bytes_of(encode(images)), "application/octet-stream")

        def answer(self, status, content, kind):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


class RemoteEncoder(TransformerMixin, BaseEstimator):
    """Transformer that sends images to a server and returns their codes; there is no fitting."""

    def __init__(self, address, batch_size=256):
        self.address = address
        self.batch_size = batch_size

    def fit(self, images, y=None):
        """Returns the transformer as it is."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, images):
        """Returns the codes of uint8 images `(n, height, width, channels)`."""
        images = np.asarray(images)
        starts = range(0, len(images), self.batch_size)
        return np.concatenate([self._encode(images[i : i + self.batch_size]) for i in starts])

    def _encode(self, images):
        request = urllib.request.Request(f"{self.address}/encode", bytes_of(images))
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return array_from(response.read())
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from None


def main(folder, port=8000):
    """Serves until interrupted."""
    with make_server(folder, port) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        print(json.dumps({"address": address}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="folder that `keras-devae export` wrote")
    parser.add_argument("--port", type=int, default=8000, help="[default: %(default)s]")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        main(options.folder, options.port)
