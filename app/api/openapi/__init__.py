"""The OpenAPI document of the API, built once in each process.

flask-smorest and apispec collect the operations, their schemas and parameters from the routes. The modules
here complete the result: `operations` while it is collected; `schemas`, `refusals`, `completion`, `links` and
`examples`, which `operations` calls in this order, afterwards.
"""
