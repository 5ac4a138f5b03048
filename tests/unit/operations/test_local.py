"""Local services without Java or Maven: ports, properties, memory of what was started, and what is never ended."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from streams.cli.local import commands
from streams.domain.errors import Outage, SettingsError
from streams.operations.local import LocalServices
from streams.operations.local_processes import Process, alive, previous, spawn, stop, tail, until
from streams.operations.local_services import Broker, SchemaRegistry, free_port, is_free, listens, properties
from streams.operations.local_state import Run, RunFile
from streams.operations.local_tools import fetch, java, maven, programs, versions

SLEEPER = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)
JAVA_17 = "echo 'openjdk version \"17.0.1\"' >&2"
GOOD_MAVEN = """
if [ "$1" = --version ]; then echo 'Apache Maven 3.9.0'; exit; fi
echo fetched >> "$(dirname "$0")/fetches"
for word; do case $word in -Dlibs=*) mkdir -p "${word#-Dlibs=}/kafka" "${word#-Dlibs=}/registry";; esac; done
"""
NO_NETWORK = """
if [ "$1" = --version ]; then echo 'Apache Maven 3.9.0'; exit; fi
echo '[INFO] trying'; echo '[ERROR] no such host -> [Help 1]'; echo '[ERROR] see the manual'; exit 1
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that is searched before the shell's own, which have no Java and no Maven."""
    folder, tools = tmp_path / "bin", tmp_path / "tools"
    folder.mkdir()
    tools.mkdir()
    for tool in ("mkdir", "dirname"):
        (tools / tool).symlink_to(next(p for p in (Path("/usr/bin") / tool, Path("/bin") / tool) if p.exists()))
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, (folder, tools))))
    return folder


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    process = launch(SLEEPER, tmp_path / "sleeper.log")
    yield process
    stop(process, patience=1)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def launch(code: str, log: Path) -> Process:
    mark = uuid4().hex
    return spawn([sys.executable, "-c", code, mark], mark=mark, log=log)


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def broker(folder: Path) -> Broker:
    return Broker(libs=Path("/libs"), folder=folder, port=9092, controller=9093)


def written(broker: Broker) -> dict[str, str]:
    return dict(line.split("=", 1) for line in properties(broker).splitlines())


class TestPorts:
    def test_a_free_port_is_taken_as_wished(self):
        wished = free_port()
        assert free_port(0, wished) == wished

    def test_another_port_is_taken_when_the_wished_one_is_in_use(self, taken):
        assert not is_free(taken)
        assert listens(taken)
        assert free_port(taken) != taken

    def test_wishes_are_tried_in_their_order(self, taken):
        second, third = free_port(), free_port()
        assert free_port(taken, second, third) == second

    def test_a_port_that_is_promised_to_another_listener_is_left_alone(self):
        promised = free_port()
        assert free_port(promised, apart_from={promised}) != promised


class TestBrokerProperties:
    def test_every_listener_is_on_loopback(self, tmp_path):
        lines = written(broker(tmp_path))
        assert lines["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
        assert lines["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"
        assert lines["controller.quorum.voters"] == "1@127.0.0.1:9093"

    def test_nothing_needs_a_second_broker_and_no_topic_is_made_by_accident(self, tmp_path):
        lines = written(broker(tmp_path))
        replicas = {value for key, value in lines.items() if key.endswith(("replication.factor", "min.isr"))}
        assert replicas == {"1"}
        assert lines["auto.create.topics.enable"] == "false"

    def test_paths_in_any_script_are_written_as_java_reads_them(self):
        assert written(broker(Path("/home/José/видео")))["log.dirs"].startswith("/home/Jos\\u00e9/\\u0432\\u0438")

    def test_the_mark_is_among_the_arguments_of_both(self, tmp_path):
        registry = SchemaRegistry(libs=tmp_path, folder=tmp_path, port=8081)
        assert "-Dmark" in broker(tmp_path).command("java", "-Dmark")
        assert "-Dmark" in registry.command("java", "-Dmark")

    def test_the_registry_keeps_its_schemas_in_a_file_and_listens_on_loopback(self, tmp_path):
        command = SchemaRegistry(libs=tmp_path, folder=tmp_path, port=8081).command("java", "-Dmark")
        assert f"-Dapicurio.datasource.url=jdbc:h2:file:{tmp_path}/schemas;WRITE_DELAY=0" in command
        assert "-Dquarkus.http.host=127.0.0.1" in command


class TestProcesses:
    def test_a_program_leads_no_life_in_our_session(self, sleeper):
        assert alive(sleeper)
        assert os.getsid(sleeper.pid) != os.getsid(0)

    def test_a_program_is_ended(self, sleeper):
        stop(sleeper, patience=5)
        assert not alive(sleeper)
        stop(sleeper, patience=5)

    def test_a_program_that_is_deaf_is_ended_by_force(self, tmp_path):
        log = tmp_path / "deaf.log"
        process = launch(STUBBORN, log)
        assert until(lambda: tail(log) == "deaf", seconds=10)
        stop(process, patience=0.2)
        assert not alive(process)

    def test_a_pid_that_became_somebody_elses_is_never_ended(self, sleeper):
        remembered = Process(pid=sleeper.pid, started=sleeper.started, mark="another mark")
        assert not alive(remembered)
        stop(remembered, patience=0.1)
        assert psutil.pid_exists(sleeper.pid)
        assert alive(sleeper)

    def test_the_log_of_the_run_before_is_kept(self, tmp_path):
        log = tmp_path / "logs" / "x.log"
        for word in ("first", "second"):
            launch(f"print('{word}')", log)
            assert until(lambda said=word: tail(log) == said, seconds=10)
        assert tail(previous(log)) == "first"

    def test_the_tail_of_a_log_is_its_last_lines(self, tmp_path):
        log = tmp_path / "long.log"
        log.write_bytes(b"one\ntwo\nbroken \xff\n")
        assert tail(log, lines=2) == "two\nbroken �"
        assert not tail(tmp_path / "none.log")

    def test_waiting_ends_with_the_deadline(self):
        assert not until(lambda: False, seconds=0.01)


class TestRunFile:
    run = Run(process=Process(pid=7, started=1.5, mark="m"), port=9092)

    def test_what_is_put_is_remembered_by_the_next_command(self, tmp_path):
        RunFile(tmp_path / "new" / "runs.json").put("kafka", self.run)
        after = RunFile(tmp_path / "new" / "runs.json")
        assert after.get("kafka") == self.run
        assert after.get("registry") is None

    def test_what_is_removed_is_forgotten_and_the_rest_stays(self, tmp_path):
        runs = RunFile(tmp_path / "runs.json")
        runs.put("kafka", self.run)
        runs.put("registry", self.run)
        runs.remove("kafka")
        assert (runs.get("kafka"), runs.get("registry")) == (None, self.run)

    @pytest.mark.parametrize("text", ["", "{", '{"kafka": {"port": "x"}}', '{"zookeeper": {}}'])
    def test_a_damaged_file_is_named_and_nothing_is_guessed(self, tmp_path, text):
        (tmp_path / "runs.json").write_text(text)
        with pytest.raises(SettingsError, match=r"runs\.json cannot be read"):
            RunFile(tmp_path / "runs.json").get("kafka")


class TestTools:
    def test_the_versions_are_those_of_the_pom(self):
        assert versions().kafka == "4.1.2"
        assert versions().registry == "3.0.9"

    @pytest.mark.parametrize(("find", "name"), [(java, "java"), (maven, "mvn")])
    def test_a_missing_program_is_named_with_the_version_that_is_needed(self, path, find, name):
        del path
        with pytest.raises(SettingsError, match=rf"need {name} \d+ or newer, and there is no `{name}` on the PATH"):
            find()

    @pytest.mark.parametrize(("told", "is_"), [('java version "1.8.0_402"', 8), ('openjdk version "11.0.2"', 11)])
    def test_an_old_java_is_refused(self, path, told, is_):
        program(path, "java", f"echo '{told}' >&2")
        with pytest.raises(SettingsError, match=rf"need java 17 or newer, and .*/java is {is_}$"):
            java()

    @pytest.mark.parametrize("told", ['openjdk version "17.0.15" 2025-04-15', 'openjdk version "21" 2023-09-19'])
    def test_a_new_java_is_taken(self, path, told):
        program(path, "java", f"echo 'Picked up JAVA_TOOL_OPTIONS'; echo '{told}' >&2")
        assert java() == str(path / "java")

    def test_a_java_that_does_not_work_is_told_in_its_own_words(self, path):
        program(path, "java", "echo 'Unable to locate a Java Runtime' >&2; exit 1")
        with pytest.raises(SettingsError, match="Unable to locate a Java Runtime"):
            java()

    def test_programs_are_fetched_once(self, path, tmp_path):
        program(path, "mvn", GOOD_MAVEN)
        told: list[str] = []
        for _ in range(2):
            fetch(tmp_path / "libs", told.append)
        assert len(told) == 1
        assert (path / "fetches").read_text() == "fetched\n"
        assert programs(tmp_path / "libs").kafka.is_dir()

    def test_a_fetch_that_fails_says_why_and_leaves_nothing_half_done(self, path, tmp_path):
        program(path, "mvn", NO_NETWORK)
        with pytest.raises(SettingsError, match=r"could not fetch the local services: no such host$"):
            fetch(tmp_path / "libs", lambda _: None)
        program(path, "mvn", GOOD_MAVEN)
        fetch(tmp_path / "libs", lambda _: None)
        assert programs(tmp_path / "libs").registry.is_dir()


class TestLocalServices:
    def services(self, path: Path, broker: str, *, patience: float = 10) -> LocalServices:
        """Services whose Java is a script: `broker` is what it does when it should run the broker."""
        program(path, "mvn", GOOD_MAVEN)
        cases = f"*StorageTool*) exit 0;; *kafka.Kafka*) {broker};; *-version*) {JAVA_17};;"
        program(path, "java", f'case "$*" in {cases} esac')
        return LocalServices(path.parent / "local", kafka_port=0, registry_port=0, patience=patience)

    def test_a_broker_that_crashes_is_told_with_the_end_of_its_log_and_forgotten(self, path):
        services = self.services(path, "echo 'the disk is full'; exit 1")
        with pytest.raises(Outage, match=r"ended while it started; the end of .*kafka\.log:\nthe disk is full"):
            services.up()
        assert {service.state for service in services.status()} == {"stopped"}

    def test_a_broker_that_never_answers_is_given_up_and_ended(self, path):
        services = self.services(path, "while :; do :; done", patience=0.4)
        with pytest.raises(Outage, match="does not answer after"):
            services.up()
        assert services.status()[0].pid is None

    def test_nothing_is_started_without_java(self, path, tmp_path):
        del path
        with pytest.raises(SettingsError, match="need java"):
            LocalServices(tmp_path / "local").up()

    def test_a_folder_that_kafka_or_h2_would_misread_is_refused(self, tmp_path):
        with pytest.raises(SettingsError, match="choose a folder without ;"):
            LocalServices(tmp_path / "a;b")

    def test_a_service_that_ended_by_itself_is_told_apart_from_one_that_was_stopped(self, tmp_path):
        gone = Run(process=Process(pid=2**22 + 1, started=0.0, mark="m"), port=free_port())
        RunFile(tmp_path / "services.json").put("kafka", gone)
        kafka, registry = LocalServices(tmp_path).status()
        assert (kafka.state, registry.state) == ("crashed", "stopped")
        assert kafka.last_words == "(empty)"

    def test_wiping_leaves_the_programs_and_everything_that_is_not_ours(self, tmp_path):
        for name in ("kafka/data/x", "registry/x", "logs/x", "libs/x", "settings.yaml", "holiday.jpg"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        LocalServices(tmp_path).wipe()
        left = {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".")}
        assert left == {"libs", "holiday.jpg"}


class TestCommandLine:
    def test_status_is_a_failure_unless_everything_is_ready(self, tmp_path):
        done = CliRunner().invoke(commands(), ["status", "--folder", str(tmp_path), "--json"])
        assert done.exit_code == 1
        states = {service["kind"]: service["state"] for service in yaml.safe_load(done.stdout)["services"]}
        assert states == {"kafka": "stopped", "registry": "stopped"}

    def test_a_wipe_that_is_not_confirmed_removes_nothing(self, tmp_path):
        (tmp_path / "kafka").mkdir()
        done = CliRunner().invoke(commands(), ["wipe", "--folder", str(tmp_path)], input="n\n")
        assert done.exit_code == 1
        assert (tmp_path / "kafka").is_dir()

    def test_a_crash_is_shown_with_the_end_of_the_log(self, tmp_path):
        gone = Run(process=Process(pid=2**22 + 1, started=0.0, mark="m"), port=free_port())
        RunFile(tmp_path / "services.json").put("registry", gone)
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "registry.log").write_text("out of memory\n")
        done = CliRunner().invoke(commands(), ["status", "--folder", str(tmp_path)])
        assert "ended by itself; the end of its log:\nout of memory" in done.output
