"""One file per sentence of the story: the only place where domains meet. A journey is one transaction."""
