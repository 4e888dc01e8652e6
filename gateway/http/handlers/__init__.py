"""One module per resource of the REST API. Handlers validate, call one service, and build the response."""
