"""
Policies of other libraries: an ONNX model and the description beside it become a policy of this package.

``onnx_file.py`` reads both and is the way in. No file is trusted: ``model_checks.py`` looks at a model before
onnxruntime does, and every error is a PolicyFileError of one sentence.
"""
