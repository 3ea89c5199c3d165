"""groundswell: how far will a short video carry, how sure is that, and did it come true?"""

import os

# OpenMP threads that wait for each other on busy cores slow a fit tenfold (measured). Said here, before numpy,
# scikit-learn or LightGBM can be imported through us; whoever has idle cores sets the variable.
os.environ.setdefault("OMP_NUM_THREADS", "1")

__version__ = "0.1.0"
