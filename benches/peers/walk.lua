-- Walks a file of prepared requests, each thread its own, and sends every request once.
-- Arguments after `--`: the folder with the files `requests-<thread>`.
--
-- A request in the file is its length in eight digits and its bytes. When the file is at its end
-- the thread says how long it took; wrk itself would go on for its whole `-d`, so the one who
-- started it waits for these lines and ends it.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long tv_sec; long tv_nsec; } muster_time;
  int clock_gettime(int clock, muster_time *time);
]]

local CLOCK_MONOTONIC = 1
-- What follows on a connection whose last request was answered; no server counts it as a check-in.
-- So many of them that every connection has had its turn.
local CLOSING = "GET /closing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
local CLOSING_MAX = 256

local function now_us()
  local time = ffi.new("muster_time")
  ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
  return tonumber(time.tv_sec) * 1e6 + tonumber(time.tv_nsec) / 1e3
end

local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local file, started, took
local sent, closing = 0, 0

-- wrk asks the first thread for a request before it starts, to look at it; it is not sent.
local shown

function init(arguments)
  file = assert(io.open(arguments[1] .. "/requests-" .. number, "rb"))
  shown = number ~= 0
end

function request()
  if not shown then
    shown = true
    return CLOSING
  end
  started = started or now_us()
  local length = file and file:read(8)
  if length then
    sent = sent + 1
    return file:read(tonumber(length))
  end
  if file then
    took = now_us() - started
    file:close()
    file = nil
  end
  closing = closing + 1
  if closing == CLOSING_MAX then
    -- One write with its end of line: threads share the stream.
    io.stdout:write(string.format("WALKED requests=%d us=%.0f\n", sent, took))
    io.stdout:flush()
    wrk.thread:stop()
  end
  return CLOSING
end
