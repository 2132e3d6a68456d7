"""Fit the localizer's error model and gate to flights with truth: samples, fit, proof on other flights, report."""
