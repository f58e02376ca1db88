"""Turn rows of text into interactions: values, times, duplicates, missing ids."""
