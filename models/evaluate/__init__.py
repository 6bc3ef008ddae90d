"""Evaluation: how well a bundle's sound obeys, each measure beside what is the best and the worst that can be had."""
