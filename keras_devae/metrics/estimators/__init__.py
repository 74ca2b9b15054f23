"""What scores compute with: bins and information, predictors, importances, spreads."""
