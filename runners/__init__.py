"""Where the pipeline runs: on this machine with BeamDagRunner."""
