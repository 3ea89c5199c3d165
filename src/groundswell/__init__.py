"""groundswell: how far will a short video carry, how sure is that, and did it come true?"""

__version__ = "0.1.0"
