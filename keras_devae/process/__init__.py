"""This process: what it may use of the machine, how it starts and how it is interrupted."""
