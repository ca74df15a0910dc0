"""roadworthy.toml: subject, purpose, bounds, checks, profile and budget."""

from roadworthy.config.duration import parse_duration
from roadworthy.config.lines import line_of
from roadworthy.config.node_options import require_option
from roadworthy.config.profiles import PROFILES, Profile, profile_options
from roadworthy.config.purpose import (
    purpose_fields,
    purpose_key,
    purpose_words,
    requirements_of,
)
from roadworthy.config.read import parse_config, read_config
from roadworthy.config.render import render_toml
from roadworthy.config.sections import (
    FILE_NAME,
    AuditSection,
    Bound,
    ChecksSection,
    Config,
    PurposeSection,
    SplitFiles,
    SubjectSection,
    names_in,
)
from roadworthy.config.settle import REPLACED, Settings, flag_of, settle

__all__ = [
    "FILE_NAME",
    "PROFILES",
    "REPLACED",
    "AuditSection",
    "Bound",
    "ChecksSection",
    "Config",
    "Profile",
    "PurposeSection",
    "Settings",
    "SplitFiles",
    "SubjectSection",
    "flag_of",
    "line_of",
    "names_in",
    "parse_config",
    "parse_duration",
    "profile_options",
    "purpose_fields",
    "purpose_key",
    "purpose_words",
    "read_config",
    "render_toml",
    "require_option",
    "requirements_of",
    "settle",
]
