#!/usr/bin/env python3
"""A BACnet router on bacpypes3: from BACnet/IP to a virtual network with devices of their own.

  bacnet_router.py ADDR/PREFIX:PORT INSTANCE NETWORK COUNT

The router is device INSTANCE on network 100; behind it are COUNT devices INSTANCE+1 … with addresses
01 … on network NETWORK, each with ai:1 and av:1 "Sollwert hinten". Says READY when it listens; "requests" on
standard input answers how many confirmed requests came through.
"""
import asyncio, sys

import bacnet_devices as own  # its endpoint, so that loopback works
from bacpypes3.basetypes import NetworkType, ProtocolLevel
from bacpypes3.local.analog import AnalogInputObject, AnalogValueObjectCmd
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.vlan import VirtualNetwork


def virtual(number, mac, instance):
    return NetworkPortObject(objectIdentifier=("network-port", instance), objectName=f"NetworkPort-{instance}",
        networkType=NetworkType.virtual, protocolLevel=ProtocolLevel.bacnetApplication, macAddress=bytes([mac]),
        networkNumber=number, networkInterfaceName="behind")


async def main():
    address, instance, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    VirtualNetwork("behind")
    dev, port = own.base(address, instance)
    port.networkNumber = 100
    apps = [own.Device.from_object_list([dev, port, virtual(number, 0xFE, 2)])]
    usual = dict(statusFlags=[0, 0, 0, 0], eventState="normal", outOfService=False, units="degreesCelsius")
    for nth in range(1, count + 1):
        inst = instance + nth
        apps.append(own.Device.from_object_list([
            DeviceObject(objectIdentifier=("device", inst), objectName=f"BEHIND-{inst}", vendorIdentifier=999,
                modelName="bp3-peer", applicationSoftwareVersion="1", firmwareRevision="0.0.110"),
            virtual(number, nth, 1),
            AnalogInputObject(objectIdentifier="analog-input,1", objectName="TempHinten", presentValue=18.0 + nth,
                covIncrement=0.5, **usual),
            AnalogValueObjectCmd(objectIdentifier="analog-value,1", objectName="Sollwert hinten", presentValue=20.0,
                covIncrement=0.1, relinquishDefault=20.0, **usual)]))
    await asyncio.sleep(0.3)
    print("READY", flush=True)
    await own.orders(apps)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
