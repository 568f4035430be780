SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  tryItOutEnabled: true,
  persistAuthorization: true,
  requestInterceptor: (request) => {
    // A write without a body needs the content type as well.
    if (request.method && !["GET", "HEAD"].includes(request.method.toUpperCase())) {
      request.headers["Content-Type"] = "application/json";
    }
    return request;
  },
});
