"""Runs the command line as `python -m keras_devae.cli`."""

from keras_devae.cli import main

if __name__ == "__main__":
    main()
