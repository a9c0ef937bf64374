"""Files: the only place that uses h5py."""
