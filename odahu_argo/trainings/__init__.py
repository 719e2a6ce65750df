"""Operations on trainings that run on a cluster: submit, read, watch, follow, record."""
