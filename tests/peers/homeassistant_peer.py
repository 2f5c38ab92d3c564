#!/usr/bin/env python3
"""A real Home Assistant with entities of every kind the adapter supports, for its tests.

    homeassistant_peer.py PORT FOLDER [DAYS]

Writes a configuration into FOLDER if there is none, starts Home Assistant on 127.0.0.1:PORT, makes a user and a
long-lived token (kept in FOLDER/token), gives two sensors DAYS (ten) days of hourly statistics, and prints "ready TOKEN".
Then it takes lines: "restart" (answers "ready TOKEN" again), "kill", "mqtt PORT" (connects it to the broker on
127.0.0.1:PORT, as a person would in its pages),
"record FILE" (a session, for the fake of the fast tests); at the end of its input it stops Home Assistant.
"""
import asyncio
import ctypes
import json
import pathlib
import signal
import subprocess
import sys
import time

import aiohttp

CONFIGURATION = """
homeassistant: {name: Test house, latitude: 52.5, longitude: 13.4, elevation: 34, unit_system: metric, time_zone: UTC, country: DE}
http: {server_host: 127.0.0.1, server_port: PORT}
api:
websocket_api:
config:
onboarding:
recorder: {commit_interval: 1}
input_boolean:
  hall_light: {name: Hall light}
  fan_on: {name: Fan on}
  lamp_on: {name: Lamp on}
  locked: {name: Locked}
  reachable: {name: Reachable, initial: true}
input_number:
  setpoint: {name: Setpoint, min: 5, max: 30, step: 0.5, initial: 20, unit_of_measurement: "°C"}
  lamp: {name: Lamp level, min: 0, max: 255, step: 1, initial: 128}
  blind: {name: Blind position, min: 0, max: 100, step: 1, initial: 40}
  speed: {name: Fan speed, min: 0, max: 100, step: 1, initial: 25}
  energy: {name: Energy register, min: 0, max: 100000, step: 0.1, initial: 1234.5}
  stubborn: {name: Stubborn, min: 0, max: 10, step: 1, initial: 3}
input_select:
  mode: {name: Mode, options: [away, home, night], initial: home}
input_text:
  note: {name: Note, initial: all well}
template:
  - sensor:
      - {name: Outside temperature, unique_id: outside, unit_of_measurement: "°C", device_class: temperature, state_class: measurement, state: "{{ states('input_number.setpoint')|float - 15 }}"}
      - {name: Meter, unique_id: meter, unit_of_measurement: kWh, device_class: energy, state_class: total_increasing, state: "{{ states('input_number.energy') }}"}
      - {name: Remote power, unique_id: power, unit_of_measurement: W, device_class: power, state_class: measurement, state: "42", availability: "{{ is_state('input_boolean.reachable', 'on') }}"}
      - {name: Weather word, unique_id: word, state: "{{ states('input_text.note') }}"}
      - {name: Phase, unique_id: phase, device_class: enum, state: "{{ states('input_select.mode') }}", attributes: {options: "{{ ['away', 'home', 'night'] }}"}}
  - binary_sensor:
      - {name: Door, unique_id: door, device_class: door, state: "{{ is_state('input_boolean.hall_light', 'on') }}"}
  - number:
      - {name: Stuck number, unique_id: stuck, min: 0, max: 10, step: 1, state: "{{ states('input_number.stubborn') }}", set_value: []}
  - select:
      - {name: House mode, unique_id: house_mode, state: "{{ states('input_select.mode') }}", options: "{{ ['away', 'home', 'night'] }}", select_option: [{service: input_select.select_option, target: {entity_id: input_select.mode}, data: {option: "{{ option }}"}}]}
light:
  - platform: template
    lights:
      lamp:
        unique_id: lamp
        friendly_name: Lamp
        value_template: "{{ is_state('input_boolean.lamp_on', 'on') }}"
        level_template: "{{ states('input_number.lamp')|int }}"
        turn_on: {service: input_boolean.turn_on, target: {entity_id: input_boolean.lamp_on}}
        turn_off: {service: input_boolean.turn_off, target: {entity_id: input_boolean.lamp_on}}
        set_level:
          - {service: input_number.set_value, target: {entity_id: input_number.lamp}, data: {value: "{{ brightness }}"}}
          - {service: input_boolean.turn_on, target: {entity_id: input_boolean.lamp_on}}
switch:
  - platform: template
    switches:
      pump: {unique_id: pump, friendly_name: Pump, value_template: "{{ is_state('input_boolean.hall_light', 'on') }}", turn_on: {service: input_boolean.turn_on, target: {entity_id: input_boolean.hall_light}}, turn_off: {service: input_boolean.turn_off, target: {entity_id: input_boolean.hall_light}}}
fan:
  - platform: template
    fans:
      exhaust: {unique_id: exhaust, friendly_name: Exhaust, value_template: "{{ states('input_boolean.fan_on') }}", percentage_template: "{{ states('input_number.speed')|int }}", turn_on: {service: input_boolean.turn_on, target: {entity_id: input_boolean.fan_on}}, turn_off: {service: input_boolean.turn_off, target: {entity_id: input_boolean.fan_on}}, set_percentage: [{service: input_number.set_value, target: {entity_id: input_number.speed}, data: {value: "{{ percentage }}"}}]}
cover:
  - platform: template
    covers:
      blind: {unique_id: blind, friendly_name: Blind, position_template: "{{ states('input_number.blind')|int }}", open_cover: {service: input_number.set_value, target: {entity_id: input_number.blind}, data: {value: 100}}, close_cover: {service: input_number.set_value, target: {entity_id: input_number.blind}, data: {value: 0}}, set_cover_position: {service: input_number.set_value, target: {entity_id: input_number.blind}, data: {value: "{{ position }}"}}}
lock:
  - {platform: template, name: Front door, unique_id: front, value_template: "{{ is_state('input_boolean.locked', 'on') }}", lock: {service: input_boolean.turn_on, target: {entity_id: input_boolean.locked}}, unlock: {service: input_boolean.turn_off, target: {entity_id: input_boolean.locked}}}
climate:
  - {platform: generic_thermostat, name: Office, unique_id: office, heater: input_boolean.hall_light, target_sensor: sensor.outside_temperature, min_temp: 7, max_temp: 28, target_temp: 21, target_temp_step: 0.5, initial_hvac_mode: "off"}
"""
LISTS = ["config/area_registry/list", "config/device_registry/list", "config/entity_registry/list", "get_states"]


def end_with_parent():
    """prctl(PR_SET_PDEATHSIG, SIGKILL): a script that is killed leaves no Home Assistant behind on its port."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class House:
    def __init__(self, port, folder, days):
        self.port, self.folder, self.days = port, pathlib.Path(folder), days
        self.base, self.process = f"http://127.0.0.1:{port}", None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "configuration.yaml").write_text(CONFIGURATION.replace("PORT", str(self.port)))
        log = open(self.folder / "output.log", "ab")
        command = [sys.executable, "-m", "homeassistant", "-c", str(self.folder), "--skip-pip"]
        self.process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent)

    async def ready(self):
        """Until it answers, and every entity is there; gives the token."""
        # The pages of onboarding are gone once it is done: from then on the token has to be taken.
        kept = self.folder / "token"
        head = {"Authorization": "Bearer " + kept.read_text()} if kept.exists() else {}
        path = "/api/" if kept.exists() else "/api/onboarding"
        deadline = time.monotonic() + 120
        async with aiohttp.ClientSession() as web:
            while True:
                try:
                    async with web.get(self.base + path, headers=head) as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit("Home Assistant does not start; see output.log in " + str(self.folder))
                await asyncio.sleep(0.2)
            token = await self.token(web)
            while True:
                found = await self.ask(token, [{"type": "get_config"}])
                if found[0]["state"] == "RUNNING":
                    return token
                await asyncio.sleep(0.2)

    async def token(self, web):
        kept = self.folder / "token"
        if kept.exists():
            return kept.read_text()
        client = self.base + "/"
        user = {"client_id": client, "name": "Riser", "username": "riser", "password": "test-only-1", "language": "en"}
        code = (await (await web.post(self.base + "/api/onboarding/users", json=user)).json())["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": client}
        access = (await (await web.post(self.base + "/auth/token", data=form)).json())["access_token"]
        head = {"Authorization": "Bearer " + access}
        for step in ("core_config", "analytics"):
            await web.post(f"{self.base}/api/onboarding/{step}", headers=head, json={})
        end = {"client_id": client, "redirect_uri": client}
        await web.post(self.base + "/api/onboarding/integration", headers=head, json=end)
        wish = {"type": "auth/long_lived_access_token", "client_name": "riser", "lifespan": 365}
        token = (await self.ask(access, [wish]))[0]
        kept.write_text(token)
        await self.statistics(token)
        return token

    async def ask(self, token, requests):
        async with aiohttp.ClientSession() as web, web.ws_connect(self.base + "/api/websocket", max_msg_size=0) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": token})
            await socket.receive_json()
            answers = []
            for number, request in enumerate(requests, 1):
                await socket.send_json({"id": number, **request})
                answer = await socket.receive_json()
                if not answer.get("success"):
                    raise SystemExit(f"{request['type']}: {answer}")
                answers.append(answer["result"])
            return answers

    async def statistics(self, token):
        """Days of hours up to the last whole one: 20 + n/10 as means, n as readings of the meter."""
        now = int(time.time()) // 3600 * 3600
        hours = [now - 3600 * n for n in range(self.days * 24, 0, -1)]
        stamp = lambda at: time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
        mean = [{"start": stamp(at), "mean": 20 + n / 10, "min": 20, "max": 50} for n, at in enumerate(hours)]
        total = [{"start": stamp(at), "state": float(n), "sum": float(n)} for n, at in enumerate(hours)]

        def about(entity, unit, has_mean):
            return {"has_mean": has_mean, "has_sum": not has_mean, "name": None, "source": "recorder", "statistic_id": entity, "unit_of_measurement": unit}
        await self.ask(token, [
            {"type": "recorder/import_statistics", "metadata": about("sensor.outside_temperature", "°C", True), "stats": mean},
            {"type": "recorder/import_statistics", "metadata": about("sensor.meter", "kWh", False), "stats": total},
        ])
        last = hours[-24:]
        wanted = {"type": "recorder/statistics_during_period", "start_time": stamp(last[0]), "period": "hour", "statistic_ids": ["sensor.outside_temperature", "sensor.meter"]}
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found = (await self.ask(token, [wanted]))[0]
            if all(len(found.get(name, [])) >= len(last) for name in wanted["statistic_ids"]):
                return
            await asyncio.sleep(0.2)
        raise SystemExit("the statistics do not arrive")

    async def mqtt(self, token, port):
        """Adds the MQTT integration, by the two steps its form has."""
        flows = self.base + "/api/config/config_entries/flow"
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer " + token}) as web:
            form = await (await web.post(flows, json={"handler": "mqtt"})).json()
            end = await (await web.post(f"{flows}/{form['flow_id']}", json={"broker": "127.0.0.1", "port": port})).json()
        if end.get("type") != "create_entry":
            raise SystemExit(f"mqtt: {end}")

    async def record(self, token, file):
        """What it answers to the questions of the adapter."""
        listed = (await self.ask(token, [{"type": "recorder/list_statistic_ids"}]))[0]
        answers = dict(zip(LISTS, await self.ask(token, [{"type": kind} for kind in LISTS])))
        answers["recorder/list_statistic_ids"] = listed
        answers["version"] = (await self.ask(token, [{"type": "get_config"}]))[0]["version"]
        pathlib.Path(file).write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


async def main(port, folder, days=10):
    house = House(port, folder, int(days))
    house.start()
    try:
        token = await house.ready()
        print("ready", token, flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            word, *rest = line.split()
            if word == "restart":
                house.stop()
                house.start()
                print("ready", await house.ready(), flush=True)
            elif word == "kill":
                house.stop(signal.SIGKILL)
                print("killed", flush=True)
            elif word == "mqtt":
                await house.mqtt(token, int(rest[0]))
                print("connected", flush=True)
            elif word == "record":
                await house.record(token, rest[0])
                print("recorded", flush=True)
    finally:
        house.stop()


asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
