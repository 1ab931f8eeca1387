"""A project of one's own: the files of a new one, and what is proposed for its images."""
