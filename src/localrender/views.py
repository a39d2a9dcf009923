"""The JSON shapes of Render's resources, nulls and gaps as recorded. Pure."""

import hashlib

from localrender.answers import stamp
from localrender.model import RUNNING, CustomDomain, Deploy, Event, Export, Kind, Owner, Postgres, Service


def show_service(service: Service) -> dict[str, object]:
    """A web service or static site (recorded: GET /services/{id})."""
    shown: dict[str, object] = {
        "autoDeploy": "yes" if service.auto_deploy else "no",
        "autoDeployTrigger": "commit" if service.auto_deploy else "off",
        "createdAt": stamp(service.created_at),
        "dashboardUrl": f"https://dashboard.render.com/{_dashboard(service)}/{service.id}",
        "id": service.id,
        "name": service.name,
        "notifyOnFail": "default",
        "ownerId": service.owner_id,
        "rootDir": "",
        "serviceDetails": _static_details(service) if service.kind is Kind.FRONTEND else _web_details(service),
        "slug": service.name,
        "suspended": "suspended" if service.suspended else "not_suspended",
        "suspenders": ["user"] if service.suspended else [],
        "type": "static_site" if service.kind is Kind.FRONTEND else "web_service",
        "updatedAt": stamp(service.updated_at),
    }
    if service.image is not None:
        return {**shown, "imagePath": service.image}
    return {**shown, "repo": service.repo, "branch": service.branch}


def show_deploy(deploy: Deploy) -> dict[str, object]:
    """A deploy: `commit` is null for images, `finishedAt` null or absent while it runs, by its id (recorded)."""
    commit = deploy.commit
    shown: dict[str, object] = {
        "id": deploy.id,
        "commit": commit and {"id": commit.id, "message": commit.message, "createdAt": stamp(commit.created_at)},
        "status": deploy.status.value,
        "trigger": deploy.trigger.value,
        "createdAt": stamp(deploy.created_at),
        "updatedAt": stamp(deploy.updated_at),
    }
    if deploy.image is not None:
        shown["image"] = {"ref": deploy.image, "sha": f"sha256:{hashlib.sha256(deploy.image.encode()).hexdigest()}"}
    if deploy.started_at is not None:
        shown["startedAt"] = stamp(deploy.started_at)
    if deploy.finished_at is not None:
        shown["finishedAt"] = stamp(deploy.finished_at)
    elif deploy.status in RUNNING and ord(deploy.id[-1]) % 2 == 0:
        shown["finishedAt"] = None
    return shown


def show_owner(owner: Owner) -> dict[str, object]:
    """A workspace."""
    return {"id": owner.id, "name": owner.name, "email": owner.email, "type": "team"}


def show_event(event: Event) -> dict[str, object]:
    """An event of a service."""
    return {
        "id": event.id,
        "timestamp": stamp(event.at),
        "serviceId": event.service_id,
        "type": event.type,
        "details": event.details,
    }


def show_domain(domain: CustomDomain) -> dict[str, object]:
    """A custom domain of a service (recorded: GET .../custom-domains)."""
    labels = domain.name.split(".")
    return {
        "createdAt": stamp(domain.created_at),
        "domainType": "apex" if len(labels) == 2 else "subdomain",
        "id": domain.id,
        "name": domain.name,
        "publicSuffix": labels[-1],
        "redirectForName": "",
        "verificationStatus": "verified" if domain.verified else "unverified",
    }


def show_postgres(database: Postgres, owner: Owner) -> dict[str, object]:
    """A database; `ipAllowList` is null where there is none (recorded: GET /postgres/{id})."""
    return {
        "createdAt": stamp(database.created_at),
        "dashboardUrl": f"https://dashboard.render.com/d/{database.id}",
        "databaseName": database.database,
        "databaseUser": database.user,
        "diskAutoscalingEnabled": False,
        "diskSizeGB": 15,
        "highAvailabilityEnabled": False,
        "id": database.id,
        "ipAllowList": None,
        "name": database.name,
        "owner": show_owner(owner),
        "plan": database.plan,
        "readReplicas": [],
        "region": "oregon",
        "role": "primary",
        "status": database.status.value,
        "suspended": "not_suspended",
        "suspenders": [],
        "updatedAt": stamp(database.created_at),
        "version": "18",
    }


def show_connection(database: Postgres) -> dict[str, object]:
    """How to connect; both strings name the database on loopback, where the platform runs it."""
    host = database.url.rsplit("@", 1)[-1].split("/")[0]
    name, _, port = host.partition(":")
    command = f"psql -h {name} -p {port or '5432'} -U {database.user} {database.database}"
    return {
        "externalConnectionString": database.url,
        "internalConnectionString": database.url,
        "password": database.password,
        "psqlCommand": f"PGPASSWORD={database.password} {command}",
    }


def show_export(export: Export, url: str | None) -> dict[str, object]:
    """An export of a database; `url` is missing until it can be downloaded (OpenAPI document)."""
    shown: dict[str, object] = {"id": export.id, "createdAt": stamp(export.created_at)}
    return shown if url is None else {**shown, "url": url}


def _dashboard(service: Service) -> str:
    return "static" if service.kind is Kind.FRONTEND else "web"


def _static_details(service: Service) -> dict[str, object]:
    return {
        "buildCommand": "python -m site_build",
        "buildPlan": "starter",
        "previews": {"generation": "off"},
        "publishPath": "public",
        "pullRequestPreviewsEnabled": "no",
        "url": service.url,
    }


def _web_details(service: Service) -> dict[str, object]:
    native = {"buildCommand": "pip install -r requirements.txt", "startCommand": "python app.py"}
    docker = {"dockerCommand": "", "dockerContext": "", "dockerfilePath": ""}
    runtime = "python" if service.image is None else "image"
    return {
        "buildPlan": "starter",
        "env": runtime,
        "envSpecificDetails": native if service.image is None else docker,
        "healthCheckPath": "/api/health" if service.image is None else "",
        "maintenanceMode": {"enabled": service.maintenance, "uri": service.maintenance_uri},
        "numInstances": 1,
        "openPorts": [{"port": 10000, "protocol": "TCP"}],
        "plan": "starter",
        "previews": {"generation": "off"},
        "pullRequestPreviewsEnabled": "no",
        "region": "oregon",
        "runtime": runtime,
        "sshAddress": f"{service.id}@ssh.oregon.render.com",
        "url": service.url,
    }
