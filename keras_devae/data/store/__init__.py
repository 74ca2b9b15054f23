"""Published images on this machine: downloaded, converted once, verified and removed."""
