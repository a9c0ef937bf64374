"""Environment variables that set the number of BLAS threads; read once, when numpy is loaded."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
