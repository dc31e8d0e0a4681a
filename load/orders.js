/**
 * A client of the balancer, in k6: posts orders at a constant arrival rate, each with its own idempotency key, never
 * tries again, and writes down what it was told: one line `key status id` an order on k6's console output.
 * Run by load/main.ts, which sets the variables.
 */
import exec from "k6/execution";
import http from "k6/http";

const rate = Number(__ENV.RATE);

export const options = {
  scenarios: {
    orders: {
      executor: "constant-arrival-rate",
      rate,
      timeUnit: "1s",
      duration: __ENV.DURATION,
      // A stall of some seconds must not find k6 without users to send with.
      preAllocatedVUs: Math.min(4_000, rate * 8),
      maxVUs: 4_000,
      gracefulStop: "40s",
    },
  },
  thresholds: { http_req_failed: ["rate==0"], dropped_iterations: ["count==0"] },
  summaryTrendStats: ["min", "med", "p(95)", "p(99)", "p(99.9)", "max"],
  // Above the balancer's own limit: whoever waits longer has lost the connection.
  noConnectionReuse: false,
};

const coffees = ["espresso", "americano", "cappuccino", "flat-white", "latte", "mocha"];
const sizes = ["small", "medium", "large"];

export default function () {
  const n = exec.scenario.iterationInTest;
  const key = `${__ENV.RUN}-${n}`;
  const order = {
    customer: `c${n % 997}`,
    coffee: coffees[n % coffees.length],
    size: sizes[n % sizes.length],
    quantity: 1 + (n % 5),
  };
  const answer = http.post(`${__ENV.URL}/orders`, JSON.stringify(order), {
    headers: { "Content-Type": "application/json", "Idempotency-Key": key },
    timeout: "40s",
  });
  console.log(`${key} ${answer.status} ${answer.status === 202 ? answer.json("id") : "-"}`);
}
