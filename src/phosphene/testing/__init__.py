"""Public fakes and tiny real models, so that tests run offline in seconds."""
