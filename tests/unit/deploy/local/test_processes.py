from deploy.local.processes import (
    BROKER_PORT,
    CONTROLLER_PORT,
    DATABASE_PORT,
    DEMONSTRATION,
    ROLES,
    STAND_IN,
)
from shared.database.provision import SERVICES


def test_no_two_processes_share_a_name_or_a_port() -> None:
    processes = (*ROLES, STAND_IN, DEMONSTRATION)
    names = [process.name for process in processes]
    ports = [process.port for process in processes if process.port]
    ports += [port for process in processes for port in process.further_ports.values()]
    ports += [BROKER_PORT, CONTROLLER_PORT, DATABASE_PORT]

    assert len(set(names)) == len(names)
    assert len(set(ports)) == len(ports)


def test_every_service_that_owns_data_connects_with_its_own_user() -> None:
    for service in SERVICES:
        roles = [role for role in ROLES if role.module == f"services.{service}"]
        assert roles
        assert {role.database_user for role in roles} == {service}
