"""What a person looks at: tables become figures, galleries and one report page."""
