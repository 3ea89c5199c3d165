"""Arrays in, numbers out: metrics, reliability and the calibrators.

Parts of scipy are called by their whole names (`scipy.optimize`) and scikit-learn is imported where it is used: each is
loaded by its first use, takes about half a second, and most commands need neither.
"""
