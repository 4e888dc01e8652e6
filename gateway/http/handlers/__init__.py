"""One file for each noun of the REST API. Handlers validate, call one service, and shape the answer."""
