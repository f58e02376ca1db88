"""Save and load models: a manifest and safetensors files, never pickle."""
