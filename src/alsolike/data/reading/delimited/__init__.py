"""Read delimited text: detect its dialect and header, parse it strictly."""
