"""HTTP around the views: the life of a request, bodies, answers, lists."""
