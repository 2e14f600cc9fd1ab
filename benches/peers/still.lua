-- Sends one body for as long as wrk says, and tells how often. There is no `request` here, so that
-- wrk writes the same bytes again and again without asking: the least that it can cost.
-- Arguments after `--`: the file with the body, the value of Client-Cert, the content type.

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Client-Cert"] = arguments[2]
  wrk.headers["Content-Type"] = arguments[3]
  file:close()
end

function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  assert(failed == 0, "requests failed")
  print(string.format("WALKED requests=%d us=%.0f", summary.requests, summary.duration))
end
