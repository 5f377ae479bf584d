"""What a result shows beyond its metrics; arrays and tables only, pictures are in `plots`."""
