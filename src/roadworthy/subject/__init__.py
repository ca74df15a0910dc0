"""What is audited: task, splits, roles of columns, model, recipe; readers; the built-in subjects."""

from roadworthy.subject.assemble import subject_from_table
from roadworthy.subject.builtin import BUILTIN, builtin_subject
from roadworthy.subject.columns import Attribute, Column, Roles
from roadworthy.subject.fields import fields_of
from roadworthy.subject.model import Network, Recipe
from roadworthy.subject.options import DataOptions
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task

__all__ = [
    "BUILTIN",
    "Attribute",
    "Column",
    "DataOptions",
    "Network",
    "Predictor",
    "Recipe",
    "Roles",
    "Split",
    "Subject",
    "Task",
    "builtin_subject",
    "fields_of",
    "subject_from_table",
]
