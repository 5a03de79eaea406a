"""`bowei registry load`: a scene file put through the registry's API."""

from pathlib import Path
from typing import Any

import httpx2
import typer

from bowei.observability.environment import Environment, WrongEnvironment

_TIMEOUT_S = 60.0
_LARGEST_BYTES = 1024 * 1024
_ERRORS_SHOWN = 20


def load_scene_file(scene: Path, url: str, environment: Environment | None = None) -> int:
    """Put the file; print the keys of new sources, which are shown this once; give the command's exit code."""
    try:
        token = (environment or Environment()).secret("BOWEI_ADMIN_TOKEN")
        body = scene.read_bytes()
    except (WrongEnvironment, OSError) as error:
        return _fail(str(error))
    if len(body) > _LARGEST_BYTES:
        return _fail(f"{scene} is larger than any scene the registry takes.")
    kind = "application/json" if scene.suffix == ".json" else "application/yaml"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    try:
        with httpx2.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
            response = client.put(f"{url.rstrip('/')}/v1/scene", content=body, headers=headers)
        said: dict[str, Any] = response.json()
    except httpx2.HTTPError as error:
        return _fail(f"The registry at {url} does not answer ({type(error).__name__}). Start it, or say --url.")
    except ValueError:
        return _fail(f"What answers at {url} is not the registry. Say --url.")
    if response.status_code not in {200, 201}:
        return _fail("\n".join(_refusal(said)))
    typer.echo(", ".join(f"{count} {name}" for name, count in said.items() if name != "keys"))
    for source_id, key in said.get("keys", {}).items():
        typer.echo(f"{source_id}: {key}")
    return 0


def _refusal(problem: dict[str, Any]) -> list[str]:
    lines = [f"Refused: {problem.get('detail') or problem.get('title') or problem.get('code')}"]
    errors: list[dict[str, Any]] = problem.get("errors", [])[:_ERRORS_SHOWN]
    return lines + [f"  {one.get('field')}: {one.get('code')}: {one.get('message', '')}" for one in errors]


def _fail(why: str) -> int:
    typer.echo(why, err=True)
    return 1
