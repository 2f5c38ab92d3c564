"""bacpypes3 on loopback, beside other stacks: call install() before an application is made.

  install(speaks)     speaks() is asked before each datagram; False keeps it back
"""
import asyncio, socket

import bacpypes3.ipv4 as ipv4
from bacpypes3.pdu import IPv4Address, LocalBroadcast


def install(speaks=lambda: True):
    # bacpypes3 takes every unicast to 127.x with its own port for one to itself: on loopback nothing would leave.
    async def indication(self, pdu):
        if self._transport_tasks:
            await asyncio.gather(*self._transport_tasks)
            self._transport_tasks = []
        if isinstance(pdu.pduDestination, LocalBroadcast):
            to = self.broadcast_address
        else:
            to = pdu.pduDestination
            to = (to if isinstance(to, IPv4Address) else IPv4Address(to)).addrTuple
        await self._local_transport_ready.wait()
        if speaks():
            self.local_transport.sendto(pdu.pduData, to)

    # bacpypes3 sets SO_REUSEPORT only and other stacks SO_REUSEADDR only; with both set they share an address.
    async def endpoint(self, loop, addr, bind_socket=None):
        k = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT, socket.SO_BROADCAST):
            k.setsockopt(socket.SOL_SOCKET, option, 1)
        k.setblocking(False)
        k.bind(addr)

        def factory():
            protocol = ipv4.IPv4DatagramProtocol()
            protocol.server = self
            return protocol

        return await loop.create_datagram_endpoint(factory, sock=k)

    ipv4.IPv4DatagramServer.indication = indication
    ipv4.IPv4DatagramServer.retrying_create_datagram_endpoint = endpoint
