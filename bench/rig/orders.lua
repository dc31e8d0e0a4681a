-- wrk's side of a measurement: orders of a thousand customers in turn, and its figures as one line of JSON.
-- Arguments: the path, orders a request, ms that a connection waits before its next request.
local requests = {}
local next = 0

function init(args)
  local path, size, pause = args[1], tonumber(args[2]), tonumber(args[3])
  if pause > 0 then
    -- At random, so that they do not come in step.
    function delay()
      return math.random(0, 2 * pause)
    end
  end
  local headers = { ["Content-Type"] = "application/json", ["Host"] = "localhost" }
  local order = '{"customer":"c%d","coffee":"latte","size":"medium","quantity":2,"milk":"oat","note":"extra hot"}'
  for customer = 1, 1000 do
    local body
    if size == 1 then
      body = order:format(customer)
    else
      local orders = {}
      for n = 1, size do
        orders[n] = order:format((customer + n) % 1000)
      end
      body = "[" .. table.concat(orders, ",") .. "]"
    end
    requests[customer] = wrk.format("POST", path, headers, body)
  end
end

function request()
  next = next % 1000 + 1
  return requests[next]
end

function done(summary, latency)
  local errors = summary.errors
  local line = '{"requests":%d,"seconds":%f,"errors":%d,"failed":%d,"p50Ms":%f,"p99Ms":%f,"p999Ms":%f}\n'
  io.write(
    line:format(
      summary.requests,
      summary.duration / 1e6,
      errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1000,
      latency:percentile(99) / 1000,
      latency:percentile(99.9) / 1000
    )
  )
end
