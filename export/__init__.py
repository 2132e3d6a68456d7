"""Weights to what flies: ONNX with the model's identity, checked against PyTorch."""
