"""The peers of benchmarks/sweep.py: their exact packages, and environments that hold them.

(c) is the official stack, hydra-optuna-sweeper and hydra-joblib-launcher of Hydra 1.4; (d) is
hydra-optuna-mlflow-sweeper, which keeps to Hydra 1.3. Everything below Hydra is what this project
runs on.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_SHARED = (
    "optuna==5.0.0",
    "mlflow==3.17.2",
    "scikit-learn==1.9.1",
    "xgboost-cpu==3.2.0" if sys.platform != "darwin" else "xgboost==3.2.0",
    "pandas==3.1.1",
    "numpy==2.4.6",
    "sqlalchemy==2.1.9",
    "joblib==1.6.0",
    "pyarrow==25.0.1",
)
PACKAGES = {
    "official": (
        "hydra-core==1.4.0rc3",
        "omegaconf==2.4.1rc1",
        "hydra-optuna-sweeper==1.4.0rc3",
        "hydra-joblib-launcher==1.4.0rc3",
        *_SHARED,
    ),
    "mlflow_sweeper": (
        "hydra-core==1.3.8",
        "omegaconf==2.3.1",
        "hydra-optuna-mlflow-sweeper==0.1.3",
        "hydra-joblib-launcher==1.2.0",
        *_SHARED,
    ),
}


def python_of(peer: str, root: Path) -> Path:
    """Interpreter of the peer's environment below `root`, made if it is missing or outdated."""
    folder = root / peer
    python, stamp = folder / "bin" / "python", folder / "packages.txt"
    wanted = "\n".join(PACKAGES[peer])
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
    install: list[str | Path] = [uv, "pip", "install", "-q", "--compile-bytecode", "-p", python]
    subprocess.run([*install, *PACKAGES[peer]], check=True)
    stamp.write_text(wanted)
    return python
