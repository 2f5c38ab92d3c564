//! Modbus adapter: TCP, RTU, RTU over TCP and Modbus/TCP Security.
