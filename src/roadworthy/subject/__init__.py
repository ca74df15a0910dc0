"""What is audited: task, splits, roles of columns, model, recipe; readers; the built-in subjects."""

from roadworthy.subject.columns import Attribute, Column, Roles
from roadworthy.subject.model import Network, Recipe
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task

__all__ = [
    "Attribute",
    "Column",
    "Network",
    "Predictor",
    "Recipe",
    "Roles",
    "Split",
    "Subject",
    "Task",
]
