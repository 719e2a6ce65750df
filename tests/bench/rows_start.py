"""Rows about start-up: `--help`, and `train get` of a few trainings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from odahu_argo import __version__
from tests.bench.bench import Bench
from tests.bench.figures import OURS, Bar, Row
from tests.bench.measure import Contender
from tests.bench.peers import HERA, ODAHUFLOWCTL, Peer, our_program, system
from tests.bench.workflows import namespace_of_trainings
from tests.servers.api import signed_in

_FASTER = Bar("faster than odahuflowctl", 1.0, rival="odahu-flow-cli")


def help_text(bench: Bench) -> Row:
    def of(peer: Peer, program: str) -> Contender:
        return Contender(peer.name, [peer.program(program), "--help"], peer.version)

    makers: dict[str, Callable[[], Contender]] = {
        OURS: lambda: Contender(OURS, [our_program(), "--help"], __version__),
        "odahu-flow-cli": partial(of, ODAHUFLOWCTL, "odahuflowctl"),
        "hera": partial(of, HERA, "hera"),
    }
    samples, versions, absent = bench.race(makers, 7)
    return Row("help", "`odahu-argo --help`", _FASTER, samples, versions, absent)


def get(bench: Bench) -> Row:
    """odahuflowctl talks to `odahu-argo server`, because ODAHU's API server is no longer available."""
    with namespace_of_trainings(3) as namespace, signed_in("-n", namespace) as server:
        environment = {"HOME": str(bench.new("home"))}

        def odahuflowctl() -> Contender:
            command = [
                ODAHUFLOWCTL.program("odahuflowctl"),
                "training",
                "--url",
                server.url,
                "--token",
                str(server.token),
                "get",
            ]
            return Contender("odahu-flow-cli", command, ODAHUFLOWCTL.version, environment)

        def kubectl() -> Contender:
            return Contender("kubectl", [system("kubectl"), "-n", namespace, "get", "workflows"])

        makers: dict[str, Callable[[], Contender]] = {
            OURS: lambda: Contender(OURS, [our_program(), "train", "get", "-n", namespace], __version__),
            "odahu-flow-cli": odahuflowctl,
            "kubectl": kubectl,
        }
        samples, versions, absent = bench.race(makers, 9)
    return Row(
        "get",
        "`odahu-argo train get` of 3 trainings",
        _FASTER,
        samples,
        versions,
        absent | {"hera": "its command line cannot list workflows"},
        apart=["kubectl"],
        note="odahuflowctl talks to `odahu-argo server`, whose time is not counted. "
        "kubectl, a compiled program, is shown for scale.",
    )
