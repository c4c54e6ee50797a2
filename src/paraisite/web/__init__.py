"""The service: an API over HTTP and a page, on top of `Predictor` and the readers."""
