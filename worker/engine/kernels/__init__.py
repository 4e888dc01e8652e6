"""The native step: our C library that runs a whole step of the language model on a CPU, in int8."""
