-- Sends one body for as long as wrk says, and tells how often: the least that wrk can cost.
-- Arguments after `--`: the file with the body, the value of Client-Cert, the content type.

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local headers = { ["Content-Type"] = arguments[3], ["Client-Cert"] = arguments[2] }
  prepared = wrk.format("POST", nil, headers, file:read("*a"))
  file:close()
end

function request()
  return prepared
end

function done(summary)
  print(string.format("WALKED requests=%d us=%.0f", summary.requests, summary.duration))
end
