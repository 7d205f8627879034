"""An orders service: Flask and sqlite, made a good citizen among services by interservice."""
