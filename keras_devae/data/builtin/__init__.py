"""Published data sets: their files, and renderers of those that are drawn from geometry."""
