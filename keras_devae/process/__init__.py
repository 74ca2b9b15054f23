"""This process: its processor and memory, signals, random numbers and imports."""
