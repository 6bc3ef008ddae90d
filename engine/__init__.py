"""The instrument: what is steered, how it sounds, where it goes. Knows no torch and no Qt."""
