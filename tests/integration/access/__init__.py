"""Who may do what: every route and method, for every kind of caller.

table       a route of the shop and what each caller is answered there; the sizes of the matrix
api_routes  the lines of app/api
page_routes the lines of app/pages, and of the files that are served
world       the people who call, and the things of the owner that they are after

`python -m tests.integration.access` prints the matrix and its size.
"""
