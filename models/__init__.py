"""Models: training data, codec, denoiser, diffusion, distillation and evaluation."""
