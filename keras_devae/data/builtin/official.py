"""What is known about the published files of the data sets of the field."""

import dataclasses
import numbers
import os
from collections.abc import Callable
from pathlib import Path

from keras_devae.checks import expanded_path, path_of
from keras_devae.data.builtin.cars3d_file import Cars3DFile
from keras_devae.data.builtin.dsprites import DSpritesRenderer
from keras_devae.data.builtin.dsprites_file import DSpritesFile
from keras_devae.data.builtin.mpi3d_file import MPI3DFile
from keras_devae.data.builtin.rendered import Renderer
from keras_devae.data.builtin.shapes3d import Shapes3DRenderer
from keras_devae.data.builtin.shapes3d_file import Shapes3DFile
from keras_devae.data.builtin.small_norb_file import SmallNORBFile
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.errors import UsageError, unknown_name

DATA_DIR_VARIABLE = "KERAS_DEVAE_DATA"
#: Pixels a side of the images in the field's comparisons.
IMAGE_SIZE = 64


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file as its authors published it.

    Attributes:
        name: Its name.
        url: Where it is published.
        num_bytes: Its size, or `None` where that is not known.
        sha256: Its SHA-256, or `None` where that is not known.
        md5: Its MD5, or `None` where that is not known.
        mirrors: Other addresses of the same file, tried in turn where the first gives none.
        was_replaced: Whether its authors may have put another file in its place since the hash was
            noted. A file with another hash is then accepted by what it holds. Default: `False`.
    """

    name: str
    url: str
    num_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    mirrors: tuple[str, ...] = ()
    was_replaced: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it is published, in the order to try."""
        return (self.url, *self.mirrors)

    @property
    def algorithm(self) -> str | None:
        """Name of the best hash that is known, `"sha256"` or `"md5"`, or `None`."""
        return "sha256" if self.sha256 else "md5" if self.md5 else None


@dataclasses.dataclass(frozen=True)
class OfficialSet:
    """A published data set: its files, where they come from, and who made it.

    Attributes:
        name: Name by which the package knows it.
        title: Name by which the field knows it.
        files: What was published, in the order that `file_format` takes.
        grid: Factors of the whole set.
        licence: SPDX name of the licence, or what its authors say.
        citation: How its authors ask to be cited.
        homepage: Page of the data set.
        file_format: Reads the files.
        image_sizes: Pixels a side that it can be prepared in; the first is the default.
        renderer: Draws the same images, or `None` where that cannot be done.
    """

    name: str
    title: str
    files: tuple[PublishedFile, ...]
    grid: FactorGrid
    licence: str
    citation: str
    homepage: str
    file_format: Callable
    image_sizes: tuple[int, ...] = (IMAGE_SIZE,)
    renderer: Callable[[int], Renderer] | None = None

    @property
    def url_variable(self) -> str:
        """Environment variable that names another address, of the file or of their folder."""
        return f"KERAS_DEVAE_{self.name.upper()}_URL"

    @property
    def file_names(self) -> str:
        """The names of the files in a sentence."""
        return listed([file.name for file in self.files], "and")

    def image_shape(self, image_size: int) -> tuple[int, int, int]:
        """Returns the shape of the images at a size of `image_sizes`."""
        return (image_size, image_size, self.file_format.image_shape[2])

    def check_size(self, image_size: int | None) -> int:
        """Returns the size to prepare; raises `UsageError` if the set does not come in it."""
        if image_size is None:
            return self.image_sizes[0]
        if not isinstance(image_size, numbers.Integral) or image_size not in self.image_sizes:
            sizes = listed(self.image_sizes, "or")
            drawn = "; others can only be drawn, with source='rendered'" if self.renderer else ""
            raise UsageError(
                f"The published images of {self.title} come with {sizes} pixels a side{drawn}. "
                f"Received: image_size={image_size!r}."
            )
        return int(image_size)

    def store(self, root: Path, image_size: int | None = None) -> Path:
        """Returns the folder below `root` for the images converted at a size."""
        is_default = image_size in (None, self.image_sizes[0])
        return root / (self.name if is_default else f"{self.name}-{image_size}")


def _cars3d() -> OfficialSet:
    file = PublishedFile(
        "nips2015-analogy-data.tar.gz",
        "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
        # As listed by disent.
        md5="4e866a7919c1beedf53964e6f7a23686",
    )
    return OfficialSet(
        name="cars3d",
        title="Cars3D",
        files=(file,),
        grid=FactorGrid(Cars3DFile.factor_names, (4, 24, 183)),
        licence="none stated by its authors",
        citation=(
            "Scott Reed, Yi Zhang, Yuting Zhang and Honglak Lee. Deep Visual Analogy-Making. "
            "NeurIPS 2015."
        ),
        homepage="http://www.scottreed.info",
        file_format=Cars3DFile,
        image_sizes=(64, 128),
    )


def _dsprites() -> OfficialSet:
    name = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
    homepage = "https://github.com/google-deepmind/dsprites-dataset"
    file = PublishedFile(
        name,
        f"{homepage}/raw/master/{name}",
        # As listed by the data set classes of latte.
        md5="7da33b31b13a06f4b04a70402ce90c2e",
        # Where GitHub itself sends whoever asks for the first one.
        mirrors=(
            f"https://raw.githubusercontent.com/google-deepmind/dsprites-dataset/master/{name}",
        ),
    )
    return OfficialSet(
        name="dsprites",
        title="dSprites",
        files=(file,),
        grid=DSpritesRenderer.grid,
        licence="Apache-2.0",
        citation=(
            "Loic Matthey, Irina Higgins, Demis Hassabis and Alexander Lerchner. dSprites: "
            f"Disentanglement testing Sprites dataset. 2017. {homepage}"
        ),
        homepage=homepage,
        file_format=DSpritesFile,
        renderer=DSpritesRenderer,
    )


def _by_interface(bucket: str, name: str) -> str:
    """Returns the address of a file by the interface of Google Cloud Storage.

    It may answer where a network does not let the plain address through.
    """
    return f"https://storage.googleapis.com/storage/v1/b/{bucket}/o/{name}?alt=media"


def _mpi3d(kind: str, published_name: str, md5: str) -> OfficialSet:
    name = f"mpi3d_{kind}"
    # As the authors' page names it since the folder disentanglement_dataset is gone (2023).
    address = "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data"
    file = PublishedFile(
        f"{name}.npz",
        f"{address}/{published_name}",
        # As listed by disent, of the files at the former address. That of the real images was
        # found corrupt in 2024 and replaced in 2025.
        md5=md5,
        mirrors=(_by_interface("mpi3d_disentanglement_dataset", f"data%2F{published_name}"),),
        was_replaced=True,
    )
    return OfficialSet(
        name=name,
        title=f"MPI3D {kind}",
        files=(file,),
        grid=MPI3DFile.grid,
        licence="CC-BY-4.0",
        citation=(
            "Muhammad Waleed Gondal et al. On the Transfer of Inductive Bias from Simulation to "
            "the Real World: a New Disentanglement Dataset. NeurIPS 2019."
        ),
        homepage="https://github.com/rr-learning/disentanglement_dataset",
        file_format=MPI3DFile,
    )


def _shapes3d() -> OfficialSet:
    file = PublishedFile(
        "3dshapes.h5",
        "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
        267_573_662,
        # As listed in the checksums of TensorFlow Datasets.
        sha256="0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
        mirrors=(_by_interface("3d-shapes", "3dshapes.h5"),),
    )
    homepage = "https://github.com/google-deepmind/3d-shapes"
    return OfficialSet(
        name="shapes3d",
        title="3D Shapes",
        files=(file,),
        grid=Shapes3DRenderer.grid,
        licence="Apache-2.0",
        citation=f"Chris Burgess and Hyunjik Kim. 3D Shapes Dataset. 2018. {homepage}",
        homepage=homepage,
        file_format=Shapes3DFile,
        renderer=Shapes3DRenderer,
    )


def _smallnorb() -> OfficialSet:
    homepage = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
    # Sizes and hashes as listed in the checksums of TensorFlow Datasets.
    facts = {
        "46789x9x18x6x2x96x96-training-dat": (
            131_896_188,
            "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
        ),
        "46789x9x18x6x2x96x96-training-cat": (
            348,
            "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
        ),
        "46789x9x18x6x2x96x96-training-info": (
            71_052,
            "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
        ),
        "01235x9x18x6x2x96x96-testing-dat": (
            130_799_817,
            "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
        ),
        "01235x9x18x6x2x96x96-testing-cat": (
            347,
            "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
        ),
        "01235x9x18x6x2x96x96-testing-info": (
            10_428,
            "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
        ),
    }
    # The host by its longer name, which published loaders use as well.
    other = "http://www.cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
    files = [
        PublishedFile(
            name := f"smallnorb-5x{part}.mat.gz",
            homepage + name,
            num_bytes,
            sha256,
            mirrors=(other + name,),
        )
        for part, (num_bytes, sha256) in facts.items()
    ]
    return OfficialSet(
        name="smallnorb",
        title="SmallNORB",
        files=tuple(files),
        grid=FactorGrid(SmallNORBFile.factor_names, (5, 10, 9, 18, 6)),
        licence="for research purposes, not to be sold",
        citation=(
            "Yann LeCun, Fu Jie Huang and Leon Bottou. Learning Methods for Generic Object "
            "Recognition with Invariance to Pose and Lighting. CVPR 2004."
        ),
        homepage=homepage,
        file_format=SmallNORBFile,
        image_sizes=(64, 96),
    )


OFFICIAL_SETS = {
    official.name: official
    for official in (
        _dsprites(),
        _shapes3d(),
        _cars3d(),
        _smallnorb(),
        _mpi3d("toy", "mpi3d_toy.npz", "55889cb7c7dfc655d6e0277beee88868"),
        _mpi3d("realistic", "mpi3d_realistic.npz", "59a6225b88b635365f70c91b3e52f70f"),
        _mpi3d("real", "real.npz", "0f33f609918fb5c97996692f91129802"),
    )
}


def official_set(name: str) -> OfficialSet:
    """Returns the published set of that name; raises `UsageError` with the close matches."""
    if not isinstance(name, str) or name not in OFFICIAL_SETS:
        raise unknown_name("data set", name, OFFICIAL_SETS)
    return OFFICIAL_SETS[name]


def data_directory(data_dir: str | Path | None = None) -> Path:
    """Returns the folder that holds prepared and downloaded data.

    Args:
        data_dir: The folder. Default: the environment variable `KERAS_DEVAE_DATA`, else
            `keras_devae` in the user's cache folder.
    """
    if data_dir is not None:
        return path_of("data_dir", data_dir)
    # A variable that is set to nothing is one that is not set.
    if chosen := os.environ.get(DATA_DIR_VARIABLE):
        return expanded_path(DATA_DIR_VARIABLE, chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("keras_devae"))


def listed(things, conjunction: str) -> str:
    """Returns things as a sentence lists them: `a, b or c`."""
    *others, last = map(str, things)
    return f"{', '.join(others)} {conjunction} {last}" if others else last
