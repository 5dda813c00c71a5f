"""
Policies of other libraries: an ONNX model or a LEAPP bundle, and the description beside it, become a policy.

``foreign_policy_file.py`` reads them; ``leapp_bundle.py`` makes one model of a bundle. No file is trusted:
``onnx_model_checks.py`` checks a model before onnxruntime gets it, and errors are one-sentence PolicyFileErrors.
"""
