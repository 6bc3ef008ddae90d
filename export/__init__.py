"""Every net to ONNX, measured against torch, and the bundle that the engine plays."""
