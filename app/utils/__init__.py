"""HTTP around the views: who calls, what is read, what is answered."""
