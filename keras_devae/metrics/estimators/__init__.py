"""Estimators used by the scores: bins and information, predictors, importances, spreads."""
