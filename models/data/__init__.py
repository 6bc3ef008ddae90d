"""Training data: procedural textures, their captions and emotion values, and the folder that holds them."""
