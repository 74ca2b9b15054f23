"""Published images on this machine: downloaded, converted once, checked and removed."""
