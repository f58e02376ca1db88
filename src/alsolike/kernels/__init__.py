"""Arrays in, arrays out: compiled loops that know no ids, no files and no errors of ours."""
