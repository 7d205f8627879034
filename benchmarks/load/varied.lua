-- As report.lua, with other paths, other request ids and, from the file that TOKENS names, other tokens all the time.
dofile(os.getenv("REPORT"))

local tokens = {}
for line in io.lines(os.getenv("TOKENS")) do
  tokens[#tokens + 1] = "Bearer " .. line
end

local number = 0

init = function(args)
  math.randomseed(tonumber(os.getenv("SEED")) or 1)
end

request = function()
  number = number + 1
  wrk.headers["Authorization"] = tokens[math.random(#tokens)]
  wrk.headers["X-Request-ID"] = string.format("%08x-%08x", math.random(0, 2147483647), number)
  return wrk.format("GET", "/v" .. math.random(1, 2) .. "/orders/" .. math.random(1, 1000000))
end
