// Draws the API's documentation; kept out of the page so that a strict CSP lets it run.
window.onload = () =>
  SwaggerUIBundle({
    // A proxy may publish the API under a prefix, which only the server knows.
    url: document.getElementById("swagger-ui").dataset.document,
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
  });
