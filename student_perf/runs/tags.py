"""The names of tags: ours below `student_perf.`, MLflow's own under their documented names.

They stand here only; everyone else asks the properties of `runs.record.RunRecord`.
"""

KIND = "student_perf.kind"
RECORD_ID = "student_perf.record_id"  # by which a run is found again in a store
ERROR = "student_perf.error"
SEED = "student_perf.seed"
CONFIG_SHA256 = "student_perf.config_hash"
DATA_SHA256 = "student_perf.data_sha256"
RAW_SHA256 = "student_perf.raw_sha256"
TARGET_SHA256 = "student_perf.target_sha256"
SPLIT_SHA256 = "student_perf.split_sha256"
LOCK_SHA256 = "student_perf.lock_sha256"
PYTHON = "student_perf.python"
PLATFORM = "student_perf.platform"
VERSION = "student_perf.version"
FILES = "student_perf.files"  # checksums by name, as JSON; in a store only
STUDY = "student_perf.study_name"
TRIAL = "student_perf.trial_number"
CONFIGURATION = "student_perf.configuration"  # where a trial's values come from
OUTSIDE = "student_perf.outside_space"  # of a reference: which of its values the space lacks
TIED = "student_perf.tied"  # of a ranked trial: `tied` with the best, or `worse`
RANKING = "student_perf.ranking"  # of a sweep without one best: why
OBJECTIVES = "student_perf.objectives"  # of a sweep and its runs: what it seeks and limits
ENDED = "student_perf.ended"  # of a sweep before its `n_trials`, of a trial before its folds: why
TARGET = "student_perf.target"
N_MISSING = "student_perf.n_missing"
COMMAND = "student_perf.command"
ALARM = "student_perf.alarm"
DECISION = "student_perf.decision"  # of a registered version
ROLLED_BACK = "student_perf.rolled_back"
CHECK = "student_perf.check."  # before the code of a numbered check that had something to say

MODEL = "model"
DATASET = "dataset"
DATASET_VERSION = "dataset_version"

PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"  # Markdown that MLflow shows on the run's page
LOGGED_TABLES = "mlflow.loggedArtifacts"  # JSON: which artifacts are tables
RUN_NAME = "mlflow.runName"
USER = "mlflow.user"
SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"
COMMIT = "mlflow.source.git.commit"
BRANCH = "mlflow.source.git.branch"
DIRTY = "mlflow.source.git.dirty"
