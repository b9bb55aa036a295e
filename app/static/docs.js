// Draws the API's documentation; kept out of the page so that a strict CSP lets it run.
window.onload = () =>
  SwaggerUIBundle({
    url: "/api/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
  });
