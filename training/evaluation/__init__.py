"""How well a checkpoint does what captions ask of it, measured on notes and on audio."""
