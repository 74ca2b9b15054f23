"""Published data sets: readers of their files, and renderers for those drawn from geometry."""
