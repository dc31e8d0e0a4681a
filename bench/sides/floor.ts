/** The floor: Bun's HTTP server, which reads a body, parses it, and answers. Nothing is checked, counted by metrics, or sent. */
let accepted = 0;
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.HTTP_PORT),
  routes: {
    "/orders": {
      async POST(request) {
        const { quantity } = (await request.json()) as { quantity: number };
        accepted += 1;
        return Response.json({ quantity }, { status: 202 });
      },
    },
    "/readyz": new Response("ready\n"),
    "/accepted": () => new Response(String(accepted)),
  },
});
