"""
Policies of other libraries: an ONNX model or a LEAPP bundle becomes a policy, together with its description.

``foreign_policy_file.py`` reads the files; ``leapp_bundle.py`` makes one model of a bundle. No file is trusted:
``onnx_model_checks.py`` checks a model before onnxruntime loads it. Each error is a PolicyFileError of one sentence.
"""
