"""
Policies of other libraries: an ONNX model or a LEAPP bundle, and the description beside it, become a policy.

``onnx_file.py`` reads them and is the way in; ``leapp_bundle.py`` makes one model of a bundle. No file is trusted:
``model_checks.py`` looks at a model before onnxruntime does, and every error is a PolicyFileError of one sentence.
"""
