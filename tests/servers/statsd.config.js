{
  debug: false,
  title: false,
  flushInterval: 60000,
  servers: [{ server: "./servers/udp", address: "127.0.0.1", port: @PORT@ }],
  mgmt_address: "127.0.0.1",
  mgmt_port: @ADMIN@,
  backends: [],
}
