"""HTTP: connections, middleware, the route table and its handlers."""
